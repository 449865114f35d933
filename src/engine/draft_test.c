/* When guessing pays: with made-up times and made-up luck. */
#include "tests/test.h"
#include "engine/draft.h"

#include <math.h>

/* Times of a machine: a token costs 1, each guess `slope` more. */
static void measure_all(r1_draft_costs *c, double slope)
{
    for (int i = 0; i < 20; i++)
        for (size_t d = 0; d <= R1_DRAFT_MAX; d++) r1_draft_measured(c, d, 1 + slope * (double)d);
}

static r1_draft_odds luck(double chance)
{
    r1_draft_odds o = { 0 };
    double due = 0;
    for (int i = 0; i < 1000; i++) {
        due += chance;
        for (size_t length = 2; length <= 32; length *= 2) r1_draft_learn(&o, length, due >= 1);
        r1_draft_learn(&o, 3, due >= 1);
        r1_draft_learn(&o, 5, due >= 1);
        if (due >= 1) due -= 1;
    }
    for (size_t length = 2; length <= 40; length++) EXPECT(fabs(r1_draft_chance(&o, length) - chance) < 0.2);
    return o;
}

TEST(nothing_is_guessed_before_a_step_was_measured_or_without_a_match)
{
    r1_draft_costs c = { 0 };
    r1_draft_odds o = luck(1);
    EXPECT_INT(r1_draft_length(&c, &o, 32, 8), 0);
    r1_draft_measured(&c, 0, 1);
    EXPECT_INT(r1_draft_length(&c, &o, 0, 8), 0);
    EXPECT_INT(r1_draft_length(&c, &o, 32, 0), 0);
    EXPECT_INT(r1_draft_length(&c, &o, 32, 8), 8);
    EXPECT_INT(r1_draft_length(&c, &o, 32, 3), 3);
}

TEST(more_luck_and_cheaper_guesses_make_longer_drafts)
{
    static const double slopes[] = { 0.05, 0.2, 0.5, 0.8 };
    size_t before = R1_DRAFT_MAX;
    for (size_t i = 0; i < R1_COUNT(slopes); i++) {
        r1_draft_costs c = { 0 };
        measure_all(&c, slopes[i]);
        size_t shorter = 0;
        for (double chance = 0; chance <= 1; chance += 0.1) {
            r1_draft_odds o = luck(chance);
            size_t n = r1_draft_length(&c, &o, 2, R1_DRAFT_MAX);
            EXPECT(n >= shorter);
            shorter = n;
        }
        EXPECT(shorter >= 1 && shorter <= before);
        before = shorter;
        r1_draft_odds never = luck(0);
        EXPECT_INT(r1_draft_length(&c, &never, 2, R1_DRAFT_MAX), 0);
    }
}

/* A step with d guesses as dear as d + 1 steps can never pay, whatever the luck; there are trials, seldomer and seldomer. */
TEST(guesses_that_cost_a_step_each_stop_but_for_trials)
{
    enum { STEPS = 20000 };
    r1_draft_costs c = { 0 };
    r1_draft_odds o = luck(1);
    measure_all(&c, 1);
    size_t trials = 0, last = 0, longest = 0;
    for (size_t i = 1; i <= STEPS; i++) {
        size_t d = r1_draft_length(&c, &o, 32, R1_DRAFT_MAX);
        r1_draft_measured(&c, d, 1 + (double)d);
        if (!d) continue;
        EXPECT(d <= 2 && i - last >= longest);
        longest = i - last;
        last = i;
        trials++;
    }
    EXPECT(trials >= 5 && trials <= 12);
    r1_draft_odds bad = luck(0.1); /* no trial that would only cost */
    for (size_t i = 0; i < STEPS; i++) EXPECT_INT(r1_draft_length(&c, &bad, 32, R1_DRAFT_MAX), 0);
}

/* The machine was busy and is quiet again: a trial shows it, and drafts come back. */
TEST(drafts_come_back_when_steps_get_cheap)
{
    r1_draft_costs c = { 0 };
    r1_draft_odds o = luck(0.95);
    measure_all(&c, 3);
    size_t steps = 0;
    for (; steps < 2000 && r1_draft_length(&c, &o, 32, R1_DRAFT_MAX) < 4; steps++) {
        size_t d = r1_draft_length(&c, &o, 32, R1_DRAFT_MAX);
        r1_draft_measured(&c, d, 1 + 0.1 * (double)d);
    }
    EXPECT(steps < 2000);
}

TEST(late_wake_ups_change_little)
{
    r1_draft_costs c = { 0 };
    r1_draft_odds o = luck(0.9);
    r1_draft_measured(&c, 0, 1);
    r1_draft_measured(&c, 4, 100); /* the very first one */
    for (int i = 0; i < 4; i++) r1_draft_measured(&c, 4, 1.5);
    EXPECT(fabs(r1_draft_cost(&c, 4) - 1.5) < 1e-9);
    r1_draft_measured(&c, 4, 1000);
    EXPECT(r1_draft_cost(&c, 4) < 1.7);
    EXPECT(r1_draft_length(&c, &o, 32, R1_DRAFT_MAX) > 0);
    r1_draft_measured(&c, 4, 0); /* a clock that stood still, or went back, says nothing */
    r1_draft_measured(&c, 4, -1);
    EXPECT(r1_draft_cost(&c, 4) > 1.5 && r1_draft_cost(&c, 4) < 1.7);
}

TEST(widths_that_were_not_measured_lie_between_their_neighbours)
{
    r1_draft_costs c = { 0 };
    r1_draft_measured(&c, 0, 10);
    EXPECT(r1_draft_cost(&c, 1) > 10 && r1_draft_cost(&c, 1) < 15); /* a guess */
    r1_draft_measured(&c, 2, 14);
    EXPECT(fabs(r1_draft_cost(&c, 1) - 12) < 1e-9);
    EXPECT(fabs(r1_draft_cost(&c, 8) - 26) < 1e-9);
    r1_draft_measured(&c, 8, 20);
    EXPECT(fabs(r1_draft_cost(&c, 5) - 17) < 1e-9);
}

TEST(luck_is_learned_by_length_of_match_and_forgotten)
{
    r1_draft_odds o = { 0 };
    for (size_t length = 3; length < 40; length++) EXPECT(r1_draft_chance(&o, length) >= r1_draft_chance(&o, length - 1));
    for (int i = 0; i < 200; i++) r1_draft_learn(&o, 2, false);
    EXPECT(r1_draft_chance(&o, 2) < 0.05 && r1_draft_chance(&o, 3) > 0.3);
    for (int i = 0; i < 100; i++) r1_draft_learn(&o, 2, true);
    EXPECT(r1_draft_chance(&o, 2) > 0.85);
}

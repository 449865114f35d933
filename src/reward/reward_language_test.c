/* The share of words of a language, on texts of known mixture. */
#include "tests/test.h"
#include "reward/reward_int.h"

#include <math.h>

static r1_language_share share(const char *language, const char *text)
{
    r1_language_share s;
    r1_error e = { 0 };
    EXPECT_OK(r1_language_check(language, text, strlen(text), &s, &e), &e);
    return s;
}

static void gives(const char *language, const char *text, size_t words, size_t target)
{
    r1_language_share s = share(language, text);
    EXPECT_MSG(s.n_words == words && s.n_target == target, "%s of '%s': %zu of %zu, expected %zu of %zu", language, text, s.n_target, s.n_words, target, words);
}

static const struct { const char *code, *text; } samples[] = {
    { "en", "Okay, let me think about this problem. We need to find the smallest number that is divisible by three. First, compute the remainder, then check." },
    { "de", "Gut, ich denke über diese Aufgabe nach. Wir müssen die kleinste Zahl finden, die durch drei teilbar ist. Zuerst berechne ich den Rest." },
    { "fr", "Bon, réfléchissons à ce problème. Nous devons trouver le plus petit nombre qui est divisible par trois. Ensuite on calcule le reste." },
    { "es", "Bueno, pensemos en este problema. Tenemos que encontrar el número más pequeño que sea divisible por tres. Luego calculamos el resto." },
    { "it", "Bene, pensiamo a questo problema. Dobbiamo trovare il numero più piccolo che sia divisibile per tre. Poi calcoliamo il resto." },
    { "pt", "Bem, vamos pensar neste problema. Temos que encontrar o menor número que seja divisível por três. Depois calculamos o resto." },
    { "nl", "Goed, ik denk na over dit probleem. We moeten het kleinste getal vinden dat deelbaar is door drie. Daarna berekenen we de rest." },
    { "sv", "Jag tänker på det här problemet. Vi måste hitta det minsta talet som är delbart med tre. Sedan beräknar vi resten." },
    { "pl", "Zastanówmy się nad tym problemem. Musimy znaleźć najmniejszą liczbę, która jest podzielna przez trzy. Potem obliczymy resztę." },
    { "tr", "Bu problemi düşünelim. Üçe bölünebilen en küçük sayıyı bulmak için önce kalanı hesaplayalım, sonra toplam değeri bulalım." },
    { "id", "Mari kita pikirkan soal ini. Kita harus mencari bilangan terkecil yang habis dibagi dengan tiga. Kemudian hitung sisanya." },
    { "vi", "Chúng ta hãy nghĩ về bài toán này. Chúng ta phải tìm số nhỏ nhất chia hết cho ba. Sau đó tính phần dư." },
    { "zh", "好的，让我想一想这个问题。我们需要找到能被三整除的最小的数。首先计算余数，然后检查。" },
    { "ja", "この問題について考えましょう。三で割り切れる最小の数を見つける必要があります。まず余りを計算します。" },
    { "ko", "이 문제를 생각해 봅시다. 셋으로 나누어지는 가장 작은 수를 찾아야 합니다. 먼저 나머지를 계산합니다." },
    { "ru", "Хорошо, подумаем об этой задаче. Нужно найти наименьшее число, которое делится на три. Сначала вычислим остаток." },
    { "uk", "Добре, поміркуймо над цією задачею. Потрібно знайти найменше число, яке ділиться на три. Спочатку обчислимо остачу." },
    { "el", "Ας σκεφτούμε αυτό το πρόβλημα. Πρέπει να βρούμε τον μικρότερο αριθμό που διαιρείται με το τρία." },
    { "ar", "دعنا نفكر في هذه المسألة. نحتاج إلى إيجاد أصغر عدد يقبل القسمة على ثلاثة." },
    { "fa", "بیایید درباره این مسئله فکر کنیم. باید کوچکترین عددی را پیدا کنیم که بر سه بخش پذیر است." },
    { "he", "בואו נחשוב על הבעיה הזאת. צריך למצוא את המספר הקטן ביותר שמתחלק בשלוש." },
    { "hi", "आइए इस समस्या के बारे में सोचें। हमें सबसे छोटी संख्या ज्ञात करनी है जो तीन से विभाज्य हो।" },
    { "th", "มาคิดเกี่ยวกับปัญหานี้กัน เราต้องหาจำนวนที่น้อยที่สุดที่หารด้วยสามลงตัว" },
};

TEST(language_of_each_sample_is_its_own)
{
    for (size_t i = 0; i < R1_COUNT(samples); i++) {
        r1_language_share s = share(samples[i].code, samples[i].text);
        EXPECT_MSG(s.share >= 0.95 && s.n_words >= 10, "%s: %zu of %zu words", samples[i].code, s.n_target, s.n_words);
    }
}

TEST(language_of_each_sample_is_no_other)
{
    static const char *const pairs_of_one_script[] = { "ar fa", NULL };
    for (size_t i = 0; i < R1_COUNT(samples); i++)
        for (size_t k = 0; k < R1_COUNT(samples); k++) {
            char pair[8];
            snprintf(pair, sizeof pair, "%s %s", samples[i].code, samples[k].code);
            double most = !strcmp(pair, pairs_of_one_script[0]) || !strcmp(pair, "fa ar") || !strcmp(pair, "ru uk") || !strcmp(pair, "uk ru") ? 0.99 : 0.35;
            if (i == k) continue;
            r1_language_share s = share(samples[i].code, samples[k].text);
            EXPECT_MSG(s.share <= most, "%s as %s: %zu of %zu words", samples[k].code, samples[i].code, s.n_target, s.n_words);
        }
}

TEST(language_leaves_out_what_is_no_prose)
{
    gives("zh", "我们有 $x^2 + \\text{something else}$ 和 \\(y = \\sin(z)\\)。", 4, 4);
    gives("zh", "代码 ```python\nfor item in list: print(item)\n``` 完", 3, 3);
    gives("zh", "看 `the_name` 和 foo_bar 与 camelCase 及 x1, x, y, sin(x), ABC, 12 个", 5, 5);
    gives("zh", "见 https://example.org/some/page 和 me@example.org。", 2, 2);
    gives("zh", "设 \\begin{align} long words here \\end{align} 则 \\[ more words \\] 得 $$ and more $$", 3, 3);
    gives("zh", "<think>好</think> <answer>好</answer>", 2, 2);
    gives("en", "It costs $5 and we have $10 left", 6, 6); /* prices are no formula */
    gives("en", "the `unclosed and the rest", 5, 5);
    gives("en", "the \\( unclosed and the rest", 5, 5);
    gives("en", "", 0, 0);
    gives("en", "$x$ 12 _ 3.5", 0, 0);
    EXPECT(share("en", "12").share == 0); /* nothing shows the language: no reward for silence */
}

TEST(language_counts_words_of_mixtures)
{
    gives("en", "We know that the value 的 是 two", 8, 6);
    gives("en", "The sum of the numbers. Die Summe der Zahlen ist gerade.", 11, 5);
    gives("de", "The sum of the numbers. Die Summe der Zahlen ist gerade.", 11, 6);
    gives("en", "We have \xd0\xb0n answer", 4, 3);           /* a Cyrillic letter in a Latin word is of no language */
    gives("zh", "これは数です。我们算数。", 7, 4);               /* Kana: 5 letters, two words; Han with Kana is Japanese */
    gives("ja", "これは数です。我们算数。", 7, 3);
    gives("en", "Well-known results", 3, 3);
    gives("en", "don\xe2\x80\x99t it's", 2, 2);
    gives("ru", "этот ответ їжак", 3, 2);
    gives("fr", "Cafe\xcc\x81 de\xcc\x81ja\xcc\x80 vu", 3, 3); /* nothing speaks against it */
}

TEST(language_codes_are_told)
{
    r1_language_share s;
    r1_error e = { 0 };
    EXPECT_STATUS(r1_language_check("xx", "a", 1, &s, &e), R1_EINVAL);
    EXPECT_CONTAINS(e.msg, "'xx'");
    EXPECT_CONTAINS(e.msg, "en zh de");
    EXPECT_STATUS(r1_language_check("", "a", 1, &s, &e), R1_EINVAL);
}

TEST(language_takes_any_bytes_in_linear_time)
{
    static const char *const parts[] = { "\\(", "`", "$", "```", "\\begin{a", "<a", "\\[", "$$", "(a", "(a@", "\xff", "\xe4\xbd", "a\xcc\x81", "~~~", "www.", "'" };
    const size_t n = (size_t)1 << 20;
    char *text = malloc(n + 16);
    for (size_t i = 0; i < R1_COUNT(parts); i++) {
        size_t k = strlen(parts[i]), at = 0;
        for (; at + k <= n; at += k) memcpy(text + at, parts[i], k);
        r1_language_share s;
        r1_error e = { 0 };
        double start = r1_now();
        EXPECT_OK(r1_language_check("en", text, at, &s, &e), &e);
        EXPECT_MSG(r1_now() - start < 20, "'%s': %.1f s", parts[i], r1_now() - start); /* quadratic would be hours */
        EXPECT(s.n_target <= s.n_words);
    }
    free(text);
}

TEST(language_lists_are_small_letters_parted_by_one_blank)
{
    for (size_t l = 0; r1_latin_words[l]; l++) {
        const char *w = r1_latin_words[l];
        EXPECT(*w && *w != ' ' && !strstr(w, "  ") && w[strlen(w) - 1] != ' ');
        for (const char *p = w; *p; p++) EXPECT_MSG(!(*p >= 'A' && *p <= 'Z'), "list %zu: %.20s", l, p);
    }
    for (size_t i = 0; r1_languages[i].code; i++)
        for (size_t k = 0; k < i; k++) EXPECT(strcmp(r1_languages[i].code, r1_languages[k].code) != 0);
}

TEST(scripts_are_found)
{
    static const struct { uint32_t cp; r1_script s; } letters[] = {
        { 'a', R1_SCRIPT_LATIN }, { 0xE9, R1_SCRIPT_LATIN }, { 0x1EA1, R1_SCRIPT_LATIN }, { 0x3B1, R1_SCRIPT_GREEK }, { 0x44F, R1_SCRIPT_CYRILLIC },
        { 0x5D0, R1_SCRIPT_HEBREW }, { 0x627, R1_SCRIPT_ARABIC }, { 0x915, R1_SCRIPT_DEVANAGARI }, { 0xE01, R1_SCRIPT_THAI }, { 0xAC00, R1_SCRIPT_HANGUL },
        { 0x3042, R1_SCRIPT_KANA }, { 0x4E2D, R1_SCRIPT_HAN }, { 0x20000, R1_SCRIPT_HAN }, { 0x13A0, R1_SCRIPT_OTHER }, { 0x10FFFF, R1_SCRIPT_OTHER },
    };
    for (size_t i = 0; i < R1_COUNT(letters); i++) EXPECT_INT(r1_script_of(letters[i].cp), letters[i].s);
}

/* What the files of the code checker share. */
#ifndef R1_REWARD_CODE_CODE_INT_H
#define R1_REWARD_CODE_CODE_INT_H

#include "reward/code/code.h"

/* code_compare.c. A decimal number and nothing else in s[0..n). */
bool r1_code_decimal(const char *s, size_t n, double *value);

#endif

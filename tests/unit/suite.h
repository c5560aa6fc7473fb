/* suite.h - main() of a Check program: SUITE("yaml", test_a, test_b) */
#ifndef WEFT_SUITE_H
#define WEFT_SUITE_H

#include <check.h>
#include <stdlib.h>

#define SUITE(name, ...)                                                               \
	int main(void)                                                                 \
	{                                                                              \
		const TTest *const tests[] = {__VA_ARGS__};                            \
		Suite *s = suite_create(name);                                         \
		TCase *c = tcase_create(name);                                         \
		for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)          \
			tcase_add_test(c, tests[i]);                                   \
		suite_add_tcase(s, c);                                                 \
		SRunner *r = srunner_create(s);                                        \
		srunner_run_all(r, CK_ENV);                                            \
		int bad = srunner_ntests_failed(r);                                    \
		srunner_free(r);                                                       \
		return bad ? EXIT_FAILURE : EXIT_SUCCESS;                              \
	}

#endif

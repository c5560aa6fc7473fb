/* fuzz_dir.h - a scratch folder for targets whose room reads files. */
#ifndef WEFT_FUZZ_DIR_H
#define WEFT_FUZZ_DIR_H

#include <unistd.h>

#include "fuzz.h"

static char *fuzz_dir_;

static void fuzz_dir_remove(void)
{
	weft_remove_tree(fuzz_dir_, NULL);
	free(fuzz_dir_);
	fuzz_dir_ = NULL;
}

/* Made once, removed at the end of the process.  In memory where that is. */
static inline const char *fuzz_dir(void)
{
	if (!fuzz_dir_) {
		fuzz_dir_ = weft_printf("%s/weft-fuzz.XXXXXX",
			access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
		fuzz_must(fuzz_dir_ && mkdtemp(fuzz_dir_));
		atexit(fuzz_dir_remove);
	}
	return fuzz_dir_;
}

/* Writes dir/name. */
static inline void fuzz_write(
	const char *dir, const char *name, const void *s, size_t n)
{
	weft_autofree char *path = weft_path_join(dir, name);
	weft_autofclose FILE *f = path ? fopen(path, "w") : NULL;

	fuzz_must(f && fwrite(s, 1, n, f) == n);
}

#endif

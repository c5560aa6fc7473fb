/* cmd_schema.c - weft schema: what is generated from the table of fields. Internal:
 * `make schema` keeps the results in the repository. */
#include "command.h"

static int schema_run(int argc, char **argv);
WEFT_VERB(schema, .name = "schema", .synopsis = "[--mdoc]",
	.summary = "Prints the JSON schema of workflow files",
	.help = "      --mdoc  print the table of weft-workflow(5) instead\n",
	.order = 0, .run = schema_run);

static int schema_run(int argc, char **argv)
{
	static const struct option options[] = {{"mdoc", no_argument, NULL, 'm'}, {0}};
	struct weft_str out = {0};
	bool mdoc = false;
	int c, status = 0;

	cmd_getopt_start();
	while ((c = cmd_getopt(&verb_schema, argc, argv, "", options, &status)) != -1) {
		if (c == -2)
			return status;
		mdoc = true;
	}
	if (optind < argc)
		return cmd_usage(&verb_schema, "takes no arguments");
	if (mdoc)
		weft_spec_print_mdoc(&out);
	else
		weft_spec_print_schema(&out);
	return cmd_print(&out);
}

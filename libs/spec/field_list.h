/*
 * Every key of a workflow file, once: the parser, the JSON schema and the table in
 * weft-workflow(5) are made from this list.  Included with F() defined:
 *
 *   F(CONTEXT, key, KIND, SHAPES, "what it is", .more = ...)
 *
 * No include guard: the list is read once for the enum and once for the table.
 */
/* ---- the top level ---- */
F(TOP, name, K_NAME, ONE, "Name of the workflow; the run directory is called so.",
	.flags = REQUIRED)
F(TOP, version, K_INT, ONE, "Version of this format.", .min = 1, .max = 1, .def = "1")
F(TOP, description, K_TEXT, ONE, "For people; printed by the report.")
F(TOP, labels, K_TEXT, PAIRS, "Labels that land in the journal and the report.",
	.keys = KEY_LABEL, .names = AT_LOAD)
F(TOP, account, K_TEXT, ONE, "Slurm account of every job.", .names = AT_LOAD)
F(TOP, qos, K_TEXT, ONE, "Quality of service of every job.", .names = AT_LOAD)
F(TOP, reservation, K_TEXT, ONE, "Reservation of every job.", .names = AT_LOAD)
F(TOP, mail, K_TEXT, ONE,
	"Address that Slurm mails to when a job ends or fails; mail-type in slurm says "
	"when else.",
	.names = AT_LOAD)
F(TOP, slurm, K_TEXT, PAIRS, "Further long options of sbatch, without the dashes.",
	.keys = KEY_OPTION, .names = AT_LOAD)
F(TOP, vars, K_VALUE, PAIRS, "Named values; they may use each other.",
	.keys = KEY_IDENT, .names = AT_LOAD)
F(TOP, env, K_TEXT, PAIRS, "Environment of every step.", .keys = KEY_ENV,
	.names = AT_TOP)
F(TOP, secrets, K_TEXT, NAMED,
	"Environment read from files at launch; never in plan, journal, arguments or "
	"expressions.",
	.keys = KEY_SECRET, .sub = IN_SECRET)
F(TOP, defaults, K_TEXT, MAP, "Values of step keys where a step gives none.",
	.sub = IN_STEP)
F(TOP, params, K_VALUE, AXES, "Sweep axes that steps share by name.", .keys = KEY_IDENT,
	.names = AT_LOAD)
F(TOP, budget, K_TEXT, MAP, "Upper bounds; a plan beyond them is refused.",
	.sub = IN_BUDGET)
F(TOP, channels, K_TEXT, NAMED, "Live links between steps that run at the same time.",
	.keys = KEY_IDENT, .sub = IN_CHANNEL, .flags = NOT_YET)
F(TOP, loop, K_TEXT, MAP | MAPS, "Steps that are repeated in rounds.", .sub = IN_LOOP)
F(TOP, on_failure, K_ENUM, ONE,
	"When a step fails: stop (nothing new starts, what runs finishes), cancel, or "
	"continue with what does not depend on it.",
	.values = "stop cancel continue", .def = "stop", .names = AT_LOAD)
F(TOP, track, K_TEXT, MAP, "Where metrics are recorded.", .sub = IN_TRACK,
	.flags = NOT_YET)
F(TOP, steps, K_TEXT, MAPS, "The steps.", .sub = IN_STEP, .flags = REQUIRED)

/* ---- a step ---- */
F(STEP, name, K_NAME, ONE, "Name of the step, unique in the file.",
	.flags = REQUIRED | NO_DEFAULT)
F(STEP, description, K_TEXT, ONE, "For people; printed by the report.")
F(STEP, labels, K_TEXT, PAIRS, "Labels that land in the journal and the report.",
	.keys = KEY_LABEL, .names = AT_LOAD)
F(STEP, env, K_TEXT, PAIRS, "Environment of the step.", .keys = KEY_ENV,
	.names = AT_RUN)
F(STEP, secrets, K_TEXT, NAMED, "Environment read from files at launch.",
	.keys = KEY_SECRET, .sub = IN_SECRET)
F(STEP, slurm, K_TEXT, PAIRS, "Further long options of sbatch, without the dashes.",
	.keys = KEY_OPTION, .names = AT_LOAD)
F(STEP, account, K_TEXT, ONE, "Slurm account of the step's jobs.", .names = AT_LOAD)
F(STEP, qos, K_TEXT, ONE, "Quality of service of the step's jobs.", .names = AT_LOAD)
F(STEP, reservation, K_TEXT, ONE, "Reservation of the step's jobs.", .names = AT_LOAD)
F(STEP, role, K_ENUM, ONE, "Takes the site's defaults of that role.",
	.values = "analysis simulation training inference steering", .def = "analysis",
	.names = AT_LOAD)
F(STEP, run, K_TEXT, ONE, "Shell text to run. Exactly one of run and command.",
	.names = AT_RUN, .flags = NO_DEFAULT)
F(STEP, command, K_TEXT, LIST, "Program and arguments, run without a shell.",
	.names = AT_RUN, .flags = NO_DEFAULT)
F(STEP, shell, K_TEXT, LIST, "The shell that runs the text of run.",
	.def = "[/bin/bash, -eo, pipefail]", .names = AT_RUN)
F(STEP, setup, K_TEXT, ONE,
	"Shell text, sourced once a member on its first node before launch; what it "
	"exports reaches every task.",
	.names = AT_RUN)
F(STEP, launch, K_ENUM, ONE,
	"How tasks start; the default is single with one task and srun with more.",
	.values = "single srun mpi torchrun", .names = AT_LOAD)
F(STEP, files, K_TEXT, NAMED, "Files placed in the working directory before launch.",
	.keys = KEY_FILE, .sub = IN_FILE, .flags = WHOLE)
F(STEP, stdout, K_TEXT, ONE,
	"Where standard output goes; default in the step's folder.", .names = AT_START)
F(STEP, stderr, K_TEXT, ONE, "Where standard error goes; default in the step's folder.",
	.names = AT_START)
F(STEP, depends, K_STEPREF, ONE | LIST | MAP | MAPS,
	"Steps that must be done first; NAME.* waits for all members.",
	.sub = IN_DEPEND, .flags = NO_DEFAULT)
F(STEP, with, K_STEPREF, ONE | LIST | MAP | MAPS,
	"Steps that run beside it at the same time.", .sub = IN_WITH, .flags = NOT_YET)
F(STEP, world, K_IDENT, ONE, "Steps with the same world start as one MPI world.",
	.flags = NOT_YET)
F(STEP, service, K_TEXT, MAP, "Runs as long as the steps that are with it.",
	.sub = IN_SERVICE, .flags = NOT_YET)
F(STEP, resources, K_TEXT, MAP, "What a member asks of Slurm.", .sub = IN_RESOURCES)
F(STEP, place, K_ENUM, ONE | MAP, "How tasks are bound to cores, GPUs and memory.",
	.values = "auto none", .def = "auto", .sub = IN_PLACE, .names = AT_LOAD)
F(STEP, sweep, K_IDENT, LIST | AXES | MAP,
	"Axes of params by name, axes of its own, a number of replicas, or a member "
	"for "
	"each of another step's.",
	.keys = KEY_IDENT, .sub = IN_SWEEP, .names = AT_LOAD, .flags = WHOLE)
F(STEP, sweep_mode, K_ENUM, ONE, "How axes combine.", .values = "grid zip",
	.def = "grid", .names = AT_LOAD)
F(STEP, max_parallel, K_INT, ONE, "Members that run at a time.", .min = 1,
	.max = 1000000, .names = AT_LOAD)
F(STEP, max_failed, K_SHARE, ONE,
	"Members that may fail, N or N%, with the sweep still done.", .def = "0",
	.names = AT_LOAD)
F(STEP, keep, K_ENUM, ONE,
	"Members of which what they printed stays, and what is left in their folder, "
	"once "
	"they have ended: all, failed ones, or none; outputs and metrics stay.",
	.values = "all failed none", .def = "all", .names = AT_LOAD)
F(STEP, scratch, K_ENUM, ONE,
	"Where the working directory is: the shared file system, a disk of the node, "
	"or "
	"memory (counted into mem).",
	.values = "shared node memory", .def = "shared", .names = AT_LOAD)
F(STEP, inputs, K_TEXT, MAP | MAPS, "What is staged in before launch.", .sub = IN_INPUT,
	.flags = NO_DEFAULT)
F(STEP, outputs, K_INSIDE, PAIRS | NAMED,
	"What the step leaves: files, folders or globs below its working directory.",
	.keys = KEY_IDENT, .sub = IN_OUTPUT, .names = AT_START, .flags = NO_DEFAULT)
F(STEP, publishes, K_TEXT, NAMED, "Artifacts that others may follow while they change.",
	.keys = KEY_IDENT, .sub = IN_PUBLISH, .flags = NOT_YET)
F(STEP, metrics, K_INSIDE, ONE, "JSON lines that the step appends to.",
	.def = "metrics.jsonl", .names = AT_LOAD)
F(STEP, steer, K_TEXT, MAP, "A program that adds and cancels members of the sweep.",
	.sub = IN_STEER, .flags = NO_DEFAULT)
F(STEP, when, K_EXPR, ONE, "Skipped where this is false.", .names = AT_WHEN)
F(STEP, optional, K_BOOL, ONE,
	"Steps that need it run even where it was skipped or left nothing.",
	.def = "false", .names = AT_LOAD)
F(STEP, finally, K_BOOL, ONE, "Runs last, whatever happened.", .def = "false",
	.names = AT_LOAD)
F(STEP, retries, K_TEXT, MAP | MAPS, "When and how a member is tried again.",
	.sub = IN_RETRY, .flags = WHOLE)
F(STEP, checkpoint, K_TEXT, MAP,
	"A signal before the time limit; then it goes on in a new job.",
	.sub = IN_CHECKPOINT)
F(STEP, container, K_TEXT, MAP, "Image that the step runs in.", .sub = IN_CONTAINER,
	.flags = NOT_YET)

/* ---- resources ---- */
F(RESOURCES, partition, K_TEXT, ONE, "Partition, or a list with commas.",
	.names = AT_SIZE)
F(RESOURCES, nodes, K_COUNTS, ONE, "Nodes: N or N-M.", .min = 1, .max = 65536,
	.names = AT_SIZE)
F(RESOURCES, ntasks, K_INT, ONE, "Tasks.", .min = 1, .max = WEFT_MAX_TASKS,
	.names = AT_SIZE)
F(RESOURCES, ntasks_per_node, K_INT, ONE, "Tasks on each node.", .min = 1, .max = 65536,
	.names = AT_SIZE)
F(RESOURCES, cpus_per_task, K_INT, ONE, "CPUs of each task.", .min = 1, .max = 65536,
	.names = AT_SIZE)
F(RESOURCES, cpus_per_gpu, K_INT, ONE, "CPUs for each GPU.", .min = 1, .max = 65536,
	.names = AT_SIZE)
F(RESOURCES, gpus, K_INT, ONE, "GPUs of the step.", .min = 0, .max = 1048576,
	.names = AT_SIZE)
F(RESOURCES, gpus_per_node, K_INT, ONE, "GPUs on each node.", .min = 0, .max = 1024,
	.names = AT_SIZE)
F(RESOURCES, gpus_per_task, K_GPUS, ONE, "GPUs of each task; 0.5: two tasks a GPU.",
	.min = 0, .max = 1024, .names = AT_SIZE)
F(RESOURCES, ntasks_per_gpu, K_INT, ONE, "Tasks for each GPU.", .min = 1, .max = 1024,
	.names = AT_SIZE)
F(RESOURCES, gpu_type, K_TEXT, ONE, "Type of the GPUs, as in gres.conf.",
	.names = AT_SIZE)
F(RESOURCES, mem, K_SIZE, ONE, "Memory of each node.", .names = AT_SIZE)
F(RESOURCES, mem_per_cpu, K_SIZE, ONE, "Memory for each CPU.", .names = AT_SIZE)
F(RESOURCES, mem_per_gpu, K_SIZE, ONE, "Memory for each GPU.", .names = AT_SIZE)
F(RESOURCES, tmp, K_SIZE, ONE,
	"Temporary disk space of each node; with scratch: memory, of its memory.",
	.names = AT_SIZE)
F(RESOURCES, time, K_DURATION, ONE, "Time limit of a member.", .min = 1,
	.max = 31622400, .names = AT_SIZE)
F(RESOURCES, constraint, K_TEXT, ONE, "Features that nodes must have.",
	.names = AT_SIZE)
F(RESOURCES, exclude, K_TEXT, ONE, "Nodes not to use.", .names = AT_SIZE)
F(RESOURCES, nodelist, K_TEXT, ONE, "Nodes to use.", .names = AT_SIZE)
F(RESOURCES, exclusive, K_BOOL, ONE, "Whole nodes.", .def = "false", .names = AT_SIZE)
F(RESOURCES, licenses, K_TEXT, ONE, "Licences, as sbatch takes them.", .names = AT_SIZE)
F(RESOURCES, gres, K_TEXT, ONE, "Other generic resources of each node.",
	.names = AT_SIZE)
F(RESOURCES, any_of, K_TEXT, MAPS,
	"Alternatives in order of preference; the keys beside it are common to all.",
	.sub = IN_RESOURCES)

/* ---- place ---- */
F(PLACE, cpus, K_ENUM, ONE, "Which cores a task gets.",
	.values = "near_gpu spread compact", .def = "near_gpu", .names = AT_LOAD)
F(PLACE, balance, K_ENUM, ONE, "Whether tasks get whole cores or even shares.",
	.values = "cores even", .def = "cores", .names = AT_LOAD)
F(PLACE, memory, K_ENUM, ONE, "Where a task's memory comes from.",
	.values = "local interleave none", .def = "local", .names = AT_LOAD)
F(PLACE, smt, K_ENUM, ONE, "Hardware threads of a core that are used.",
	.values = "1 2 all", .def = "1", .names = AT_LOAD)
F(PLACE, spare_cores, K_INT, ONE, "Cores of a node that are left alone.", .min = 0,
	.max = 4096, .def = "0", .names = AT_LOAD)

/* ---- sweep, axis ---- */
F(SWEEP, file, K_FROM, ONE,
	"A member a row: a .csv with a line of names or a .jsonl of objects, a path or "
	"STEP.OUTPUT, which is read when that step is done.",
	.names = AT_LOAD)
F(SWEEP, max, K_INT, ONE,
	"Most rows that file may have; needed with STEP.OUTPUT: a plan reckons with "
	"it.",
	.min = 1, .max = 10000000, .names = AT_LOAD)
F(SWEEP, each, K_STEPNAME, ONE, "A member for each member of that step.")
F(SWEEP, replicas, K_INT, ONE, "So many members, told apart by params.replica.",
	.min = 1, .max = 10000000, .names = AT_LOAD)
F(AXIS, range, K_NUMBER, LIST, "First, last and step, inclusive.", .names = AT_LOAD,
	.flags = REQUIRED)

/* ---- small maps ---- */
F(INPUT, from, K_FROM, ONE | LIST,
	"STEP.OUTPUT, or a path that begins with /, ./, ../ or ~/; of a list the first "
	"that exists.",
	.names = AT_START, .flags = REQUIRED)
F(INPUT, as, K_IDENT, ONE, "Name of the input; default the name of the output.")
F(INPUT, to, K_ENUM, ONE, "Where it is put.", .values = "shared node memory",
	.def = "shared", .names = AT_LOAD)
F(INPUT, mode, K_ENUM, ONE, "How it gets there; copy is private and writable.",
	.values = "auto link copy broadcast", .def = "auto", .names = AT_LOAD)
F(INPUT, optional, K_BOOL, ONE, "It may be missing.", .def = "false", .names = AT_LOAD)
F(INPUT, round, K_ENUM, ONE,
	"The round of its loop that it comes from: this, the one before, or all "
	"before.",
	.values = "this prev all", .def = "this", .names = AT_LOAD)
F(INPUT, first, K_FROM, ONE, "What feeds round 0, where there is no earlier one.",
	.names = AT_START)
F(OUTPUT, path, K_INSIDE, ONE, "Path or glob relative to the working directory.",
	.names = AT_START, .flags = REQUIRED)
F(OUTPUT, keep, K_ENUM, ONE,
	"Whether it stays once nothing needs it any more; never is not supported yet.",
	.values = "always never", .def = "always", .names = AT_LOAD)
F(OUTPUT, optional, K_BOOL, ONE, "It may be missing at the end.", .def = "false",
	.names = AT_LOAD)
F(OUTPUT, sync, K_ENUM, ONE, "When it is staged out; continuous is not supported yet.",
	.values = "end continuous", .def = "end")
F(DEPEND, step, K_STEPREF, ONE, "NAME or NAME.*.", .flags = REQUIRED)
F(DEPEND, state, K_ENUM, ONE, "The state to wait for.", .values = "done failed ended",
	.def = "done")
F(DEPEND, optional, K_BOOL, ONE, "A skip of that step does not spread.", .def = "false")
F(FILE, copy, K_TEXT, ONE, "Path of a file to copy.", .names = AT_RUN)
F(FILE, template, K_TEXT, ONE, "Path of a text whose expressions are filled in.",
	.names = AT_RUN)
F(FILE, text, K_LONG, ONE, "The text itself.", .names = AT_RUN)
F(SECRET, file, K_TEXT, ONE, "Path of the file that holds the value.",
	.flags = REQUIRED)
F(BUDGET, node_hours, K_NUMBER, ONE, "Node hours.", .min = 0, .max = 1e12,
	.names = AT_LOAD)
F(BUDGET, gpu_hours, K_NUMBER, ONE, "GPU hours.", .min = 0, .max = 1e12,
	.names = AT_LOAD)
F(BUDGET, core_hours, K_NUMBER, ONE, "Core hours.", .min = 0, .max = 1e12,
	.names = AT_LOAD)

F(RETRY, max, K_INT, ONE, "Attempts after the first.", .min = 0, .max = 1000,
	.names = AT_LOAD, .flags = REQUIRED)
F(RETRY, causes, K_TEXT, LIST | ONE,
	"timeout, node_fail, preempted, oom, or exit codes; the default is any "
	"failure.")
F(RETRY, backoff, K_DURATION, ONE, "How long to wait before.", .max = 31622400,
	.names = AT_LOAD)
F(RETRY, restart, K_TEXT, ONE,
	"Shell text that runs instead of run or command, in the directory as it was "
	"left.",
	.names = AT_RUN)
F(CHECKPOINT, signal, K_TEXT, ONE, "The signal, by its name.", .def = "TERM",
	.names = AT_LOAD)
F(CHECKPOINT, before, K_DURATION, ONE, "How long before the limit.", .min = 1,
	.max = 31622400, .def = "1m", .names = AT_LOAD)
F(CHECKPOINT, max, K_INT, ONE, "How often it may go on.", .min = 1, .max = 1000,
	.def = "10", .names = AT_LOAD)
F(CHECKPOINT, path, K_INSIDE, ONE,
	"What it leaves for the next job; where the working directory is shared, all "
	"stays.",
	.names = AT_START)

/* ---- known, checked, and refused until they are built ---- */
F(CHANNEL, from, K_STEPNAME, ONE, "The step that writes.", .flags = REQUIRED)
F(CHANNEL, to, K_STEPNAME, ONE | LIST, "The steps that read.", .flags = REQUIRED)
F(CHANNEL, kind, K_ENUM, ONE, "A stream, or the latest version of an artifact.",
	.values = "stream latest")
F(CHANNEL, frame, K_TEXT, ONE, "What a frame is: lines, a number of bytes, or u32.")
F(CHANNEL, share, K_ENUM, ONE, "How several readers share it.",
	.values = "copy split modulo")
F(CHANNEL, buffer, K_SIZE, ONE, "How much is held.")
F(CHANNEL, full, K_ENUM, ONE, "What happens when the buffer is full.",
	.values = "block drop_oldest")
F(LOOP, steps, K_STEPNAME, LIST, "The steps of a round.", .flags = REQUIRED)
F(LOOP, max, K_INT, ONE, "Most rounds; a plan reckons with them.", .min = 1,
	.max = 1000000, .names = AT_LOAD, .flags = REQUIRED)
F(LOOP, until, K_EXPR, ONE, "The loop ends after a round at whose end this is true.",
	.names = AT_UNTIL)
F(TRACK, dir, K_TEXT, ONE, "Folder.")
F(TRACK, mlflow, K_TEXT, ONE, "Address of an MLflow server.")
F(WITH, step, K_STEPREF, ONE, "The other step.", .flags = REQUIRED)
F(WITH, nodes, K_ENUM, ONE, "On the same nodes or on any.", .values = "same any")
F(WITH, bytes, K_SIZE, ONE, "What they exchange, for placement.")
F(SERVICE, ready, K_TEXT, MAP, "How to see that it is ready.", .sub = IN_READY)
F(SERVICE, timeout, K_DURATION, ONE, "How long that may take.", .min = 1,
	.max = 31622400)
F(SERVICE, stop, K_TEXT, ONE, "Signal that ends it.")
F(READY, tcp, K_TEXT, ONE, "A port that answers, or auto.")
F(READY, file, K_TEXT, ONE, "A file that exists.")
F(READY, command, K_TEXT, ONE | LIST, "A command that succeeds.", .names = AT_RUN)
F(PUBLISH, path, K_INSIDE, ONE, "Path relative to the working directory.",
	.flags = REQUIRED)
F(PUBLISH, when, K_EXPR, ONE, "Only versions for which this is true.", .names = AT_WHEN)
F(PUBLISH, keep, K_INT, ONE, "Versions that are kept.", .min = 1, .max = 1000000)
F(STEER, run, K_TEXT, ONE, "Shell text to run. Exactly one of run and command.",
	.names = AT_STEER)
F(STEER, command, K_TEXT, LIST, "Program and arguments.", .names = AT_STEER)
F(STEER, every, K_TEXT, ONE,
	"After so many members have ended, or a duration; else after each.",
	.names = AT_LOAD)
F(STEER, max_members, K_INT, ONE,
	"Most members in all, those of the sweep among them; a plan reckons with them.",
	.min = 1, .max = 10000000, .names = AT_LOAD, .flags = REQUIRED)
F(STEER, time, K_DURATION, ONE, "Time limit of the program each time.", .min = 1,
	.max = 31622400, .def = "10m", .names = AT_LOAD)
F(STEER, resources, K_TEXT, MAP,
	"What is kept for the program, in the job of the sweep, as long as it steers.",
	.sub = IN_SEAT)
F(SEAT, cpus_per_task, K_INT, ONE, "CPUs.", .min = 1, .max = 65536, .def = "1",
	.names = AT_LOAD)
F(SEAT, gpus, K_INT, ONE, "GPUs; members must have some, too.", .min = 0, .max = 1024,
	.def = "0", .names = AT_LOAD)
F(SEAT, mem, K_SIZE, ONE, "Memory.", .names = AT_LOAD)
F(CONTAINER, image, K_TEXT, ONE, "The image.", .flags = REQUIRED)
F(CONTAINER, mounts, K_TEXT, LIST, "Mounts, as the runtime takes them.")
F(CONTAINER, runtime, K_ENUM, ONE, "The runtime.", .values = "pyxis apptainer podman")

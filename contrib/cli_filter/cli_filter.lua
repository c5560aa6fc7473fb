--[[
cli_filter.lua - sbatch, salloc and srun size a job by its step, with nothing in slurmctld.

For sites that don't want job_submit_weft.so.  Put it beside slurm.conf, on login nodes,
with this line in slurm.conf:

    CliFilterPlugins=lua

If there is such a file already, call weft_pre_submit() in its slurm_cli_pre_submit().
It runs in the user's own process, and asks `weft select` there what the step needs; only
what the user left open is filled.  weft.so brings the options --weft and --weft-step.  An
srun has the step's size from weft.so alone.  All this is a service, no boundary: who goes
round it has an ordinary job.
]]

-- An absolute path, where users may have another in their PATH.
local weft = "weft"

-- Options of Slurm's that the request's keys become, where nothing else decides.
local plain = {
	{"partition", "partition"}, {"account", "account"}, {"qos", "qos"},
	{"reservation", "reservation"}, {"constraint", "constraint"},
	{"exclude", "exclude"}, {"nodelist", "nodelist"}, {"licenses", "licenses"},
	{"gres", "gres"}, {"tmp", "tmp"},
}

-- Slurm hands these from one component of a het job to the next; what was filled for one
-- isn't typed for the other.
local carried = {"account", "exclude", "mem", "qos", "reservation", "time"}
local filled = {}

local function quoted(word)
	return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- "weft-request-1 step=train nodes=2" as a table; nil: weft has said why not.
local function ask(file, step)
	local pipe = io.popen(quoted(weft) .. " select --request -- "
		.. quoted(file) .. " " .. quoted(step))
	local text = pipe and pipe:read("*l") or ""
	local r = {}

	if pipe then
		pipe:close()
	end
	if not text:find("^weft%-request%-1 ") then
		return nil
	end
	for key, value in text:gmatch(" ([a-z_]+)=([^ ]+)") do
		r[key] = value
	end
	return r
end

-- What was typed, also in #SBATCH lines and variables: the keys of Slurm's own list, which
-- is a flat JSON object.
local function read_typed(options)
	local json = slurm.json_cli_options(options) or ""
	local typed, key = {}, nil
	local at, depth = 1, 0

	while at <= #json do
		local c = json:sub(at, at)
		if c == '"' then
			local stop = at + 1
			while stop <= #json and json:sub(stop, stop) ~= '"' do
				stop = stop + (json:sub(stop, stop) == "\\" and 2 or 1)
			end
			local word = json:sub(at + 1, stop - 1)
			if depth == 1 and key == nil and json:sub(stop + 1, stop + 1) == ":" then
				key = word
			elseif depth == 1 and key ~= nil then
				typed[key], key = word, nil
			end
			at = stop
		elseif c == "{" or c == "[" then
			depth = depth + 1
		elseif c == "}" or c == "]" then
			depth = depth - 1
		elseif c == "," and depth == 1 then
			if key ~= nil then
				typed[key], key = "", nil
			end
		end
		at = at + 1
	end
	return typed
end

local function any(typed, ...)
	for _, name in ipairs({...}) do
		if typed[name] ~= nil then
			return true
		end
	end
	return false
end

-- The least of "2", "2-2" and "2-4".
local function least(nodes)
	return nodes and tonumber(nodes:match("^%d+"))
end

-- Nodes and tasks a node were worked out from the numbers of tasks and CPUs: where the
-- user has typed others, Slurm works them out anew.  Nodes that the file names hold.
local function fill_tasks(r, typed, set)
	local nodes_open = not any(typed, "nodes", "nodelist")
	local cpus_open = not any(typed, "cpus-per-task", "cpus-per-gpu")
	local function same(open, option, value)
		return open or (typed[option] ~= nil and least(typed[option]) == tonumber(value))
	end
	local all_same = same(nodes_open, "nodes", r.nodes)
		and same(typed["ntasks"] == nil, "ntasks", r.ntasks)
		and same(typed["ntasks-per-node"] == nil, "ntasks-per-node", r.ntasks_per_node)
		and same(cpus_open, "cpus-per-task", r.cpus_per_task)
	local tasks = least(typed["ntasks"])

	if r.ntasks and tasks == nil and (nodes_open or (least(typed["nodes"]) or 1) <= tonumber(r.ntasks)) then
		tasks = tonumber(r.ntasks)
		set("ntasks", r.ntasks)
	end
	if r.nodes and nodes_open and (all_same or r.nodes_given)
		and (tasks == nil or tonumber(r.nodes) <= tasks) then
		set("nodes", r.nodes)
	end
	if r.ntasks_per_node and typed["ntasks-per-node"] == nil and all_same then
		set("ntasks-per-node", r.ntasks_per_node)
	end
	if r.cpus_per_task and cpus_open then
		set("cpus-per-task", r.cpus_per_task)
	end
end

local function fill_rest(r, typed, set)
	local gpus = (r.gpu_type and r.gpu_type .. ":" or "") .. (r.gpus_per_node or r.gpus or "")

	if (r.gpus or r.gpus_per_node)
		and not any(typed, "gpus", "gpus-per-node", "gpus-per-socket", "gpus-per-task", "ntasks-per-gpu")
		and not (typed["gres"] or ""):find("gpu", 1, true) then
		set(r.gpus_per_node and "gpus-per-node" or "gpus", gpus)
	end
	if r.mem and not any(typed, "mem", "mem-per-cpu", "mem-per-gpu") then
		set("mem", r.mem .. "M")
	end
	if r.time and not any(typed, "time", "time-min") then
		set("time", r.time)
	end
	if r.exclusive and not any(typed, "exclusive", "oversubscribe") then
		set("exclusive", "exclusive")
	end
end

local function fill_array(r, typed, set)
	local at_once = tonumber(r.max_parallel or 0)

	if r.array and typed["array"] == nil then
		set("array", "0-" .. (r.array - 1)
			.. (at_once > 0 and at_once < tonumber(r.array) and "%" .. at_once or ""))
	end
end

function weft_pre_submit(options)
	-- Of this component of a het job; weft.so names it where it was typed.
	local step = os.getenv("WEFT_STEP_TYPED")
	local spank = options["spank"] and options["spank"]["weft"] or {}
	local file = os.getenv("WEFT_FILE") or spank["weft"]
	local said = {}

	if step == nil or file == nil then
		return slurm.SUCCESS
	end
	local r = ask(file, step)
	if r == nil then
		return slurm.ERROR
	end
	local typed = read_typed(options)
	for _, name in ipairs(carried) do
		if filled[name] ~= nil and typed[name] == filled[name] then
			typed[name] = nil
		end
	end
	local function set(option, value)
		options[option] = value
		said[#said + 1] = option ~= value and option .. " " .. value or option
	end
	for _, pair in ipairs(plain) do
		if r[pair[1]] and typed[pair[2]] == nil then
			set(pair[2], r[pair[1]])
		end
	end
	fill_tasks(r, typed, set)
	fill_rest(r, typed, set)
	if options["type"] == "sbatch" then
		fill_array(r, typed, set)
	end
	local now = read_typed(options)
	for _, name in ipairs(carried) do
		filled[name] = typed[name] == nil and now[name] or nil
	end
	if #said > 0 then
		slurm.log_info("weft: step %s: %s", r.step, table.concat(said, ", "))
	end
	return slurm.SUCCESS
end

function slurm_cli_setup_defaults(options, early_pass)
	return slurm.SUCCESS
end

function slurm_cli_pre_submit(options, offset)
	return weft_pre_submit(options)
end

function slurm_cli_post_submit(offset, job_id, step_id)
	return slurm.SUCCESS
end

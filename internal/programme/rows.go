package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// row is one of the programme: a layer of tests, and how far it goes.
type row struct {
	name   string
	about  string // what it looks for
	parts  []part // they take turns
	figure string // what is counted
	usual  string // how many of it in every run of the tests, for people
	target int    // how many of it a long run should reach; 0 = all there are
	ends   bool   // units take the next of a list, which comes to an end
	weight int    // its part of the time
}

// part is a test, or a few, of one package.
type part struct {
	pkg  string // directory below the root
	test string // regular expression that matches nothing else; of a fuzz target, its name
	fuzz bool
	long bool                // a unit lasts as long as it is told to
	args func(unit) []string // nil = none
}

// unit is one run of a part.
type unit struct {
	n    int    // of this part, from 0
	seed uint64 // no other unit of the row has it
	time time.Duration
}

// once says that there is nothing to be repeated: seeds change nothing.
func (r *row) once() bool { return r.target == 0 && !r.ends }

// layer gives the arguments of a layer of internal/effort.
func layer(name, count string, n int) func(unit) []string {
	return func(u unit) []string {
		return []string{fmt.Sprintf("-%s.%s", name, count), strconv.Itoa(n), fmt.Sprintf("-%s.seed", name), strconv.FormatUint(u.seed, 10)}
	}
}

// lasting gives those of a layer that takes a number of seconds: nearly all of the time, since there is more to do at the end.
func lasting(name string) func(unit) []string {
	return func(u unit) []string {
		const least = 5
		return layer(name, "seconds", max(least, int(0.95*u.time.Seconds())))(u)
	}
}

// inTurn gives those of a long list of which each unit tries the next n. The list is that of the first seed.
func inTurn(name string, n int, seeded bool) func(unit) []string {
	return func(u unit) []string {
		args := []string{"-" + name, strconv.Itoa(n), "-" + name + ".skip", strconv.Itoa(u.n * n)}
		if seeded {
			args = append(args, "-"+name+".seed", strconv.FormatUint(u.seed-uint64(u.n), 10))
		}
		return args
	}
}

// sequences gives those of rapid. No file of a failure: the seed repeats it, and the tree stays clean.
func sequences(n int) func(unit) []string {
	return func(u unit) []string {
		return []string{"-rapid.checks", strconv.Itoa(n), "-rapid.seed", strconv.FormatUint(u.seed, 10), "-rapid.nofailfile"}
	}
}

// fuzzed returns parts that are fuzz targets: "PACKAGE TARGET...".
func fuzzed(packages ...string) (parts []part) {
	for _, p := range packages {
		words := strings.Fields(p)
		for _, target := range words[1:] {
			parts = append(parts, part{pkg: words[0], test: target, fuzz: true})
		}
	}
	return parts
}

// table is the programme. docs/internals/testing.md has a line for each row.
var table = []row{
	{
		name: "codec", about: "a log of three segments: every flip, cut, zeroed end, exchange of frames and segments",
		figure: "corpora", usual: "1", target: 20, weight: 2,
		parts: []part{{pkg: "eventlog", test: "^TestDamage_", args: layer("exhaustive", "corpora", 1)}},
	},
	{
		name: "fuzz", about: "input that nobody thought of: frames, scans, logs, snapshots, events, jobs, command lines",
		figure: "executions", usual: "the corpus; 5 or 10 s each in CI", target: 300_000_000, weight: 4,
		parts: fuzzed(
			"eventlog FuzzScan FuzzDecodeFrame FuzzSnapshotFile FuzzDecodeFormat FuzzDecodeManifest FuzzDecodeContents",
			"fuzz FuzzVerify FuzzDecodeEvent FuzzParseSpec",
			"projection FuzzLoad FuzzFoldEncoded", "job FuzzPeekEnqueued", "internal/shell FuzzTail",
			"cmd/queuectl FuzzCommandLine",
		),
	},
	{
		name: "crash", about: "what a power cut may leave, of traces of everything that writes",
		figure: "states", usual: "20,000", target: 1_000_000, weight: 4,
		parts: []part{{pkg: "eventlog", test: "^TestCrashStates_", args: layer("crash", "states", 1)}}, // one round, some thousands
	},
	{
		name: "power", about: "a real file system that is shut down in the middle of appends",
		figure: "cuts", usual: "50", target: 10_000, weight: 3,
		parts: []part{{pkg: "eventlog", test: "^TestPowerCut_", args: layer("power", "cuts", 20)}},
	},
	{
		name: "kill", about: "processes that are killed at any moment",
		figure: "kills", usual: "100", target: 100_000, weight: 4,
		parts: []part{{pkg: "queue", test: "^TestStorm_", args: layer("storm", "kills", 100)}},
	},
	{
		name: "soak", about: "a mixed load of processes for a long time: memory, descriptors and disk stay flat",
		figure: "seconds", usual: "5", target: 8 * 60 * 60, weight: 4,
		parts: []part{{pkg: "queue", test: "^TestSoak_", long: true, args: lasting("soak")}},
	},
	{
		name: "faults", about: "each system call of the write path fails, in every way and at every position",
		figure: "faults", usual: "160", target: 20_000, ends: true, weight: 4,
		parts: []part{{pkg: "eventlog", test: "^TestFaults_", args: inTurn("faults", 160, true)}},
	},
	{
		name: "limits", about: "small disks that fill up, few descriptors, small files: what runs is recorded, nothing is lost",
		figure: "rooms", usual: "10", target: 2_000, weight: 2,
		parts: []part{{pkg: "queue", test: "^TestRun_InSmallRooms|^TestRun_WithoutDescriptors", args: layer("limits", "rooms", 40)}},
	},
	{
		name: "model", about: "histories of the engine, compared with a queue in plain Go",
		figure: "sequences", usual: "2,000", target: 200_000, weight: 3,
		parts: []part{{pkg: "queuetest", test: "^TestQueue_BehavesAsTheModel$", args: sequences(500)}},
	},
	{
		name: "properties", about: "properties of single parts, with random input",
		figure: "sequences", usual: "100 each", target: 1_000_000, weight: 2,
		parts: []part{
			{pkg: "decide", test: "^Test(Rules_Any|After_NoInterleaving|Tick_EveryTick)", args: sequences(1000)},
			{pkg: "projection", test: "^Test(Base_FoldedLoaded|DueCrons_Agrees|Fold_|Key_|List_Agrees)", args: sequences(300)},
			{pkg: "scheduler", test: "^Test(Policy_Never|Index_|Before_|Timeline_Agrees)", args: sequences(2000)},
			{pkg: "scheduler/cron", test: "^TestNext_AgreesWithASearch", args: sequences(300)},
			{pkg: "job", test: "^Test(Decode|Peek|Config_|MadeID|PositionOf|LastError_|Parse|Schema_)", args: sequences(2000)},
			{pkg: "queue", test: "^Test(DiffTo_Is|EventFilter_|History_Is|Replay_Gives|Snapshot_Gives)", args: sequences(50)},
			{pkg: "simulate", test: "^TestRun_(KeepsTheRules|MoreWorkers)", args: sequences(200)},
			{pkg: "stats", test: "^Test(Histogram|Rates|Stats)_", args: sequences(1000)},
			{pkg: "eventlog", test: "^Test(BackupContents|ReaderAt|Manifest_Decodes|ParsePin|Salvage_Reads|Chain)", args: sequences(300)},
			{pkg: "queuetest", test: "^Test(Ticks|Shrink)_", args: sequences(100)},
			{pkg: "internal/shell", test: "^TestOutput_KeepsHeadAndTail", args: sequences(1000)},
		},
	},
	{
		name: "simulation", about: "processes in a bubble, on a disk that fails, with verbs at bad moments",
		figure: "histories", usual: "350", target: 100_000, weight: 3,
		parts: []part{{pkg: "queue", test: "^TestRun_FailingDisk|^TestRun_VerbsAtAnyMoment", args: layer("live", "histories", 100)}},
	},
	{
		name: "interleaving", about: "processes that go on one step at a time, as a seed has it, on a disk that fails and loses its power",
		figure: "seeds", usual: "1,000", target: 100_000, weight: 4,
		parts: []part{
			{pkg: "eventlog", test: "^TestSimulation_SeedsLoseNothing$", args: layer("sim", "seeds", 500)},
			{pkg: "queue", test: "^TestSimulation_WorkersRunEachJobOnceAtATime$", args: layer("sim", "seeds", 200)},
		},
	},
	{
		name: "pairs", about: "two processes that stop at each pair of points",
		figure: "pairs", usual: "2,500", target: 200_000, weight: 3,
		parts: []part{{pkg: "eventlog", test: "^TestSimulation_PairsOfPoints$", args: layer("pairs", "share", 10)}},
	},
	{
		name: "linear", about: "answers that fit no order: of real processes that are killed, and of many goroutines",
		figure: "operations", usual: "20,000", target: 2_000_000, weight: 3,
		parts: []part{
			{pkg: "queue", test: "^TestProcesses_AreLinearizable", args: layer("linear", "operations", 10_000)},
			{pkg: "queue", test: "^TestQueue_IsLinearizable$", args: layer("linear", "operations", 20_000)},
		},
	},
	{
		name: "differential", about: "readers by others, in another language, that read the same log",
		figure: "logs", usual: "3", target: 10_000, weight: 1,
		parts: []part{{pkg: "eventlog", test: "^TestDifferential_", args: layer("differential", "logs", 5)}},
	},
	{
		name: "planted", about: "defects that are planted, each of which a test must notice",
		figure: "plants", usual: "a few", ends: true, weight: 4,
		parts: []part{{pkg: "internal/planted", test: "^TestPlants_AreNoticed$", args: inTurn("plants", 3, false)}},
	},
	{
		name: "end to end", about: "the real binary: each promise, each error of a user",
		figure: "tests", usual: "all", weight: 1,
		parts: []part{{pkg: "cmd/queuectl", test: "^TestScripts$"}},
	},
	{
		name: "hostile", about: "commands that do not behave, processes that cannot be seen, bad days of a worker",
		figure: "tests", usual: "all", weight: 1,
		parts: []part{
			{pkg: "internal/shell", test: "^Test"},
			{pkg: "internal/process", test: "^Test"},
			{pkg: "scheduler/lease", test: "^Test"},
			{pkg: "queue", test: "^TestRun_TenThousandJobs|^TestRun_StoppedWorker|^TestRun_LeavesNo|^TestRun_LostRun"},
		},
	},
	{
		name: "security", about: "texts of strangers on a terminal, exchanged lock files, secrets that others may read",
		figure: "tests", usual: "all", weight: 1,
		parts: []part{
			{pkg: "cmd/queuectl", test: "^TestPlain_"},
			{pkg: "eventlog", test: "^TestAppend_ToADirectory|^TestAppend_WaitingForTheLockOfADirectory"},
			{pkg: "internal/secret", test: "^Test"},
			{pkg: "queue", test: "^TestSecrets_|^TestEnvironment_"},
		},
	},
	{
		name: "upgrade", about: "what earlier releases wrote",
		figure: "tests", usual: "all", weight: 1,
		parts: []part{
			{pkg: "eventlog", test: "^TestGolden_|^TestFormat_|LaterVersion"},
			{pkg: "job", test: "^TestGolden_"},
			{pkg: "queue", test: "^TestGolden_"},
		},
	},
}

// list prints the rows.
func list(w io.Writer, rows []row) {
	for i := range rows {
		r := &rows[i]
		fmt.Fprintf(w, "%s: %s\n", r.name, r.about)
		fmt.Fprintf(w, "    %s: %s in go test, %s in a long run\n", r.figure, r.usual, r.goal())
		for j := range r.parts {
			fmt.Fprintln(w, "    "+r.parts[j].command(unit{seed: 1, time: leastFuzzing}))
		}
	}
}

// goal is the target, for people.
func (r *row) goal() string {
	if r.target == 0 {
		return "all"
	}
	return thousands(r.target)
}

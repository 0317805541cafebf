package walls

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
)

// room says what a package may know.
type room struct {
	ours    []string // packages of this module
	library []string // other modules; a prefix of the import path
	pure    bool     // no clock, no files, no goroutines: the same input gives the same output, always
	reason  string
}

// rooms is the plan of the house; docs/internals/architecture.md draws it. A package that is missing here
// has no place yet: decide what it may know, and write it down.
var rooms = map[string]room{
	".": {reason: "the root is a page of documentation; a package there would be imported by everyone for something"},
	"job": {
		library: []string{"google.golang.org/protobuf/encoding/protowire"}, pure: true,
		reason: "job holds the words of the domain, which everything else is said in; it can depend on nothing",
	},
	"projection": {
		ours: []string{"job"}, pure: true,
		reason: "the fold must give the same state on any machine at any time, from the events alone",
	},
	"scheduler": {
		ours: []string{"job"}, pure: true,
		reason: "the timeline says what is due, from what it is told, and never acts",
	},
	"scheduler/cron": {
		ours: []string{"job"}, pure: true,
		reason: "a schedule says when it ticks; whether that makes a job is decided elsewhere",
	},
	"stats": {
		ours: []string{"job"}, pure: true,
		reason: "sums of events are a fold like the projection's: from the events alone",
	},
	"decide": {
		ours: []string{"job", "projection", "scheduler", "scheduler/cron"}, pure: true,
		reason: "rules are functions of state, command and time; what they could read otherwise, replay would not see",
	},
	"simulate": {
		ours: []string{"job", "projection", "scheduler", "decide"}, pure: true,
		reason: "what would have happened is found with the real rules, and the same record and scenario give the same answer",
	},
	"eventlog": {
		ours: []string{"internal/file"},
		library: []string{
			"github.com/tidwall/wal", "github.com/fsnotify/fsnotify", "google.golang.org/protobuf/encoding/protowire",
			"golang.org/x/sys", "github.com/klauspost/compress/zstd",
		},
		reason: "the log stores bytes and positions and has never heard of a job, so that its promises can be checked without one",
	},
	"scheduler/lease": {
		ours: []string{"internal/file", "internal/process"}, library: []string{"golang.org/x/sys"},
		reason: "a lease is a kernel lock; who may ask for it is decided elsewhere",
	},
	"internal/file":    {library: []string{"golang.org/x/sys"}, reason: "it adds to the standard library and knows nothing of us"},
	"internal/process": {library: []string{"golang.org/x/sys"}, reason: "it adds to the standard library and knows nothing of us"},
	"internal/shell": {
		ours: []string{"internal/process"}, library: []string{"golang.org/x/sys"},
		reason: "it runs one command and knows nothing of jobs",
	},
	"internal/gotest": {
		ours: []string{"job", "projection"}, pure: true,
		reason: "it writes source and knows nothing of how the log is kept or folded",
	},
	"internal/interleave": {reason: "it gives turns to the processes of a test, and knows nothing of what they do"},
	"internal/effort":     {reason: "it counts what tests do and knows nothing of what they test"},
	"internal/soak":       {reason: "it measures from outside, and knows nothing of what a program does"},
	"internal/planted":    {reason: "it holds tests only"},
	"internal/growth":     {reason: "it holds tests only"},
	"internal/programme": {
		ours:   []string{"internal/effort"},
		reason: "it runs tests as people do, and knows nothing of what they test",
	},
	"internal/walls": {},
	"queue": {
		ours: []string{
			"job", "projection", "scheduler", "scheduler/cron", "scheduler/lease", "decide", "eventlog", "internal/shell", "internal/secret",
		},
		library: []string{"github.com/rs/zerolog"},
		reason:  "the engine ties the rooms together; what is above it must not be below it",
	},
	"queuetest": {
		ours:    []string{"job", "projection", "eventlog", "queue", "internal/gotest"},
		library: []string{"pgregory.net/rapid"},
		reason:  "the test kit drives the same exported engine that programs use",
	},
	"cmd/queuectl": {
		ours: []string{"job", "projection", "scheduler/cron", "stats", "eventlog", "queue", "simulate", "internal/gotest", "internal/disk", "internal/doctor", "internal/storm"},
		library: []string{
			"github.com/alecthomas/kong", "github.com/rs/zerolog", "golang.org/x/term", "golang.org/x/sys",
			"github.com/mattn/go-runewidth", "github.com/guptarohit/asciigraph",
		},
		reason: "the command line speaks to the queue; a rule of the domain in it would bind nobody who embeds the library",
	},
	"bench": {
		ours:   []string{"job", "queue", "eventlog", "internal/file"},
		reason: "benchmarks measure what users of the queue and of the command get",
	},
	"internal/disk": {
		ours: []string{"internal/file"}, library: []string{"golang.org/x/sys"},
		reason: "it says what lies below a directory and knows nothing of us",
	},
	"internal/doctor": {
		ours:   []string{"job", "projection", "eventlog", "queue", "scheduler/lease", "internal/disk", "internal/file", "internal/process"},
		reason: "it looks at a queue from outside, and at what lies below it",
	},
	"internal/storm": {
		ours:   []string{"job", "eventlog", "queue", "internal/disk", "internal/file"},
		reason: "it judges a queue by its log and by what processes saw, and is judged by nobody below it",
	},
	"internal/secret": {ours: []string{"internal/file"}, reason: "secrets are files, and it knows nothing of jobs"},
	"fuzz":            {reason: "it holds tests only"},
	"scripts/pack":    {reason: "a release is packed with the standard library alone"},
}

// keepers are libraries that few may know, and why. Their tests may too, and examples may log.
var keepers = []struct {
	library string
	rooms   []string
	reason  string
}{
	{"github.com/alecthomas/kong", []string{"cmd/queuectl"}, "flags are a matter of the command line"},
	{"github.com/tidwall/wal", []string{"eventlog"}, "used in any other way than eventlog's it overwrites what other processes wrote"},
	{"github.com/rs/zerolog", []string{"queue", "cmd/queuectl"}, "packages below the engine return facts instead of logging"},
	{"log", nil, "zerolog is the only logger"},
	{"log/slog", nil, "zerolog is the only logger"},
	{"math/rand", nil, "math/rand/v2 has replaced it"},
	{"github.com/stretchr/testify", nil, "tests use the standard library: got and want"},
}

// impure are the parts of the standard library that a pure package may not see.
var impure = []string{
	"context", "crypto/rand", "io/fs", "io/ioutil", "log", "math/rand", "math/rand/v2", "net", "os", "path/filepath",
	"runtime", "sync", "sync/atomic", "syscall",
}

func TestImports_StayInsideTheWalls(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		allowed, known := rooms[file.room]
		if !known {
			t.Errorf("%s: package %s is not in the plan of the house (internal/walls): say what it may import", file.path, file.room)
			continue
		}
		if file.test { // tests may look into other rooms to check what only several of them promise
			continue
		}
		for _, target := range slices.Sorted(maps.Values(file.imports())) {
			if reason := allowed.refuses(target); reason != "" {
				t.Errorf("%s imports %s: %s (%s)", file.path, target, reason, allowed.reason)
			}
		}
	}
}

// refuses says why the room may not import the target, "" if it may.
func (r room) refuses(target string) string {
	if ours, ok := strings.CutPrefix(target, module+"/"); ok {
		if !slices.Contains(r.ours, ours) {
			return "that wall has no door"
		}
		return ""
	}
	first, _, _ := strings.Cut(target, "/")
	if !strings.Contains(first, ".") { // the standard library has no dot in its first element
		if r.pure && within(target, impure...) {
			return "this package is pure"
		}
		return ""
	}
	if !within(target, r.library...) {
		return "that library is for other rooms, or was never chosen"
	}
	return ""
}

func TestRefuses_EveryWallThatArchitectureNames(t *testing.T) {
	t.Parallel()
	tests := []struct {
		room, target string
		refused      bool
	}{
		{"job", "time", false},
		{"job", "google.golang.org/protobuf/encoding/protowire", false},
		{"job", "google.golang.org/protobuf/proto", true},
		{"job", module + "/internal/file", true},
		{"job", "os", true},
		{"projection", module + "/job", false},
		{"projection", module + "/scheduler", true},
		{"projection", "os/user", true},
		{"scheduler", module + "/projection", true},
		{"decide", module + "/eventlog", true},
		{"decide", "math/rand/v2", true},
		{"eventlog", module + "/job", true},
		{"eventlog", "github.com/rs/zerolog", true},
		{"queue", "github.com/tidwall/wal", true},
		{"queue", "github.com/alecthomas/kong", true},
		{"queue", "github.com/tidwall/gjson", true},
		{"queue", module + "/cmd/queuectl", true},
		{"cmd/queuectl", module + "/queue", false},
		{"cmd/queuectl", module + "/decide", true},
		{"cmd/queuectl", module + "/scheduler/lease", true},
		{"cmd/queuectl", "github.com/alecthomas/kong", false},
		{"cmd/queuectl", "github.com/alecthomas/kongplete", true},
	}
	for _, tt := range tests {
		if got := rooms[tt.room].refuses(tt.target); (got != "") != tt.refused {
			t.Errorf("%s imports %s: got %q, want refused = %v", tt.room, tt.target, got, tt.refused)
		}
	}
}

// within says that an import path is one of the trees or below it.
func within(target string, trees ...string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool {
		return target == tree || strings.HasPrefix(target, tree+"/")
	})
}

func TestLibraries_StayWithTheirKeepers(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		for _, target := range file.imports() {
			for _, k := range keepers {
				logs := target == "log" && strings.HasPrefix(path.Base(file.path), "example_")
				if target == k.library && !slices.Contains(k.rooms, file.room) && !logs {
					t.Errorf("%s imports %s: %s", file.path, target, k.reason)
				}
			}
		}
	}
}

// A door that nobody goes through would be gone through one day without anybody having decided it.
func TestDoors_AreUsed(t *testing.T) {
	t.Parallel()
	imported := map[string][]string{}
	for _, file := range tree(t) {
		if !file.test {
			imported[file.room] = slices.AppendSeq(imported[file.room], maps.Values(file.imports()))
		}
	}
	for name, r := range rooms {
		doors := slices.Clone(r.library)
		for _, ours := range r.ours {
			doors = append(doors, module+"/"+ours)
		}
		for _, door := range doors {
			if !slices.ContainsFunc(imported[name], func(target string) bool { return within(target, door) }) {
				t.Errorf("%s may import %s and does not: take it out of the plan", name, door)
			}
		}
	}
}

// A room that nobody lives in is a plan for a house that is not this one.
func TestRooms_AreLivedIn(t *testing.T) {
	t.Parallel()
	lived := map[string]bool{}
	for _, file := range tree(t) {
		lived[file.room] = true
	}
	for name := range rooms {
		if !lived[name] {
			t.Errorf("the plan of the house has a room %s, which does not exist", name)
		}
	}
}

func TestPureRooms_StartNoGoroutines(t *testing.T) {
	t.Parallel()
	for _, file := range tree(t) {
		if file.test || !rooms[file.room].pure {
			continue
		}
		file.goStatements(func(line int) {
			t.Errorf("%s:%d starts a goroutine: %s", file.path, line, rooms[file.room].reason)
		})
	}
}

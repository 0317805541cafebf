package eventlog

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	whichFaults = flag.String("faults", "", "faults to try: how many of the matrix (160; 40 under the race detector), all, or how their names begin")
	faultsSeed  = flag.Uint64("faults.seed", 1, "chooses which faults of the matrix are tried")
	faultsSkip  = flag.Int("faults.skip", 0, "of a number of faults, leave out so many that another run of the same seed has tried")
)

// fault is one field of the matrix: what goes wrong in a process that writes.
type fault struct {
	scene string // what the process finds; see scenes
	call  string // the system call
	error string // what it returns, or SIGKILL: then the process dies of it
	first int    // which of these calls
	last  int    // 0 = all that follow as well
	then  string // a second one: call:error:first, as often as it comes; "" = none
}

// String is the fault's name, by which -faults finds it: append/write:EIO:3+.
func (f fault) String() string {
	name := fmt.Sprintf("%s/%s:%s:%d", f.scene, f.call, f.error, f.first)
	switch {
	case f.last == 0:
		name += "+"
	case f.last > f.first:
		name += fmt.Sprintf("..%d", f.last)
	}
	if f.then != "" {
		name += "/" + f.then
	}
	return name
}

// once says that what failed works again.
func (f fault) once() bool { return f.last > 0 && f.then == "" }

// inject returns the arguments with which strace makes it happen.
func (f fault) inject() []string {
	how, calls := "error="+f.error, f.call
	if f.error == "SIGKILL" {
		how = "signal=SIGKILL"
	}
	when := strconv.Itoa(f.first)
	switch {
	case f.last == 0:
		when += "+"
	case f.last > f.first:
		when += fmt.Sprintf("..%d", f.last)
	}
	args := []string{"-e", fmt.Sprintf("inject=%s:%s:when=%s", f.call, how, when)}
	if f.then != "" {
		then := strings.Split(f.then, ":")
		calls += "," + then[0]
		args = append(args, "-e", fmt.Sprintf("inject=%s:error=%s:when=%s+", then[0], then[1], then[2]))
	}
	return append(args, "-e", "trace="+calls)
}

var faultName = regexp.MustCompile(`^(\w+)/([\w,]+):(\w+):(\d+)(?:(\+)|\.\.(\d+))?(?:/(\w+:\w+:\d+))?$`)

// parseFault is the reverse of String.
func parseFault(name string) (f fault, ok bool) {
	m := faultName.FindStringSubmatch(name)
	if m == nil || scenes[m[1]] == nil {
		return fault{}, false
	}
	f = fault{scene: m[1], call: m[2], error: m[3], then: m[7]}
	f.first, _ = strconv.Atoi(m[4])
	f.last, _ = strconv.Atoi(cmp.Or(m[6], m[4]))
	if m[5] != "" {
		f.last = 0
	}
	return f, true
}

// faultyCalls are the system calls of the write path.
var faultyCalls = []string{
	"openat", "close", "read", "pread64", "write", "pwrite64", "fdatasync", "fsync", everySync, "ftruncate", "fallocate", "flock",
	"fstat", "newfstatat", "faccessat", "getdents64", "lseek", "mkdirat", "renameat", "unlinkat",
}

// everySync are all that make anything durable.
const everySync = "fdatasync,fsync"

// faultyErrors are what they may return. EINTR comes a few times and not for ever: no kernel does that.
var faultyErrors = []string{
	"EIO", "ENOSPC", "EDQUOT", "EINTR", "EMFILE", "ENOMEM", "EROFS", "ESTALE", "ENOLCK", "SIGKILL",
}

// telling says that no sample is without this fault: where the write path opens, writes and syncs, and without any sync.
func (f fault) telling() bool {
	switch f.call {
	case "openat", "write", "fsync", "fdatasync":
		return f.scene == "append" && f.error == "EIO" && f.once()
	}
	return f.hopeless() && f.error == "EIO"
}

// hopeless says that nothing is durable any more.
func (f fault) hopeless() bool {
	return f.call == everySync && f.first == 1 && f.last == 0 && f.error != "SIGKILL"
}

// choose returns the faults that are tried.
func (m *faultMatrix) choose() []fault {
	which := *whichFaults
	switch {
	case which == "" && raceEnabled:
		which = "40"
	case which == "":
		which = "160"
	}
	if f, ok := parseFault(which); ok {
		return []fault{f}
	}
	all := m.singles()
	random := rand.New(rand.NewPCG(*faultsSeed, *faultsSeed))
	random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	pairs := m.pairs(all, random)
	count, err := strconv.Atoi(which)
	switch {
	case err == nil:
		all = takeTurns(all, pairs)
		from := min(max(*faultsSkip, 0), len(all))
		m.matrix = len(all)
		return all[from:min(from+max(count, 0), len(all))]
	case which != "all":
		all = slices.DeleteFunc(all, func(f fault) bool { return !strings.HasPrefix(f.String(), which) })
		pairs = slices.DeleteFunc(pairs, func(f fault) bool { return !strings.HasPrefix(f.String(), which) })
	}
	if all = append(all, pairs...); len(all) == 0 {
		m.t.Fatalf("-faults %s is neither a number, nor all, nor how a fault such as append/write:EIO:3+ begins", which)
	}
	m.matrix = len(all)
	return all
}

// takeTurns returns the shuffled faults in the order in which they are tried: first those that tell most, and about every
// seventh a pair. Calls take turns, and so do kills: those that are made seldom would hardly ever be chosen.
func takeTurns(all, pairs []fault) []fault {
	turns := map[string]int{}
	order := map[fault]int{} // 0 = first
	for _, f := range all {
		what := f.call
		if f.error == "SIGKILL" {
			what = f.scene
		}
		if !f.telling() {
			turns[what]++
			order[f] = turns[what]
		}
	}
	for i, f := range pairs {
		order[f] = 1 + i/4
	}
	all = append(all, pairs...)
	slices.SortStableFunc(all, func(a, b fault) int { return cmp.Compare(order[a], order[b]) })
	return all
}

// singles returns the whole matrix of single faults: as many positions as there are calls without any,
// and a few more, for what is done after a fault.
func (m *faultMatrix) singles() (all []fault) {
	for _, scene := range []string{"create", "append", "recover"} {
		calls := m.calls(scene)
		for _, call := range faultyCalls {
			positions := calls[call] + 2
			if call == everySync {
				positions += calls["fdatasync"] + calls["fsync"]
			}
			for first := range positions {
				for _, name := range faultyErrors {
					f := fault{scene: scene, call: call, error: name, first: first + 1, last: first + 1}
					all = append(all, f)
					switch f.last = 0; name {
					case "SIGKILL":
						continue
					case "EINTR":
						f.last = f.first + 3
					}
					all = append(all, f)
				}
			}
		}
	}
	return all
}

// pairs returns as many faults of which a second call never recovers.
func (m *faultMatrix) pairs(singles []fault, random *rand.Rand) (pairs []fault) {
	for _, f := range singles {
		second := singles[random.IntN(len(singles))]
		if second.error == "EINTR" || second.error == "SIGKILL" || second.scene != f.scene || strings.Contains(f.call, second.call) {
			continue
		}
		// In truth close closes a file whatever it returns, and so lets a lock go that flock has kept.
		if second.call == everySync || second.call == "close" || f.call == "close" && second.call == "flock" {
			continue
		}
		f.then = fmt.Sprintf("%s:%s:%d", second.call, second.error, second.first)
		pairs = append(pairs, f)
	}
	return pairs
}

// calls returns how many calls of each kind a thread of the process makes when all is well.
func (m *faultMatrix) calls(scene string) map[string]int {
	dir := filepath.Join(m.t.TempDir(), "q")
	scenes[scene](m.t, dir)
	trace := filepath.Join(m.t.TempDir(), "trace")
	run := m.run(dir, trace, fault{scene: scene}, []string{"-e", "trace=" + strings.Join(faultyCalls, ",")})
	if run.err != nil || !run.done {
		m.t.Fatalf("%s: without a fault: %v:\n%s", scene, run.err, run.output)
	}
	data, err := os.ReadFile(trace)
	if err != nil {
		m.t.Fatal(err)
	}
	byThread, most := map[string]int{}, map[string]int{}
	for _, call := range regexp.MustCompile(`(?m)^(\d+) +(\w+)\(`).FindAllStringSubmatch(string(data), -1) {
		byThread[call[1]+call[2]]++
		most[call[2]] = max(most[call[2]], byThread[call[1]+call[2]])
	}
	return most
}

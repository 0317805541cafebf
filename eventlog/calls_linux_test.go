package eventlog

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The system calls of an append, by one process that has the log for itself: lock and unlock, write and sync; that the lock
// file is still the log's, before and under the lock; how far the segment goes; D is read, and says more. Whoever adds
// one for every append says here what it is for.
const mostCallsOfAnAppend = 9

func TestAppend_MakesFewSystemCalls(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	openDirLog(t, dir, Options{}).Close()
	const appends = 50
	trace := traced(t, []string{"trace=%file,%desc"}, "one at a time", dir, strconv.Itoa(appends))
	synced := regexp.MustCompile(`fdatasync.*/log/` + segmentName(1) + `>`)
	var calls []string
	var last, syncs int // calls when the append before was synced; syncs
	for line := range strings.Lines(trace) {
		// Calls of several threads may be told of in two parts: the first has the arguments.
		if !strings.Contains(line, dir) || strings.Contains(line, " resumed>") {
			continue
		}
		calls = append(calls, line)
		if !synced.MatchString(line) {
			continue
		}
		syncs++
		between := calls[last:]
		last = len(calls)
		if n := len(between); syncs > 2 && n > mostCallsOfAnAppend { // the first ones open and reserve
			t.Fatalf("append %d made %d calls on the log's files, want at most %d:\n%s", syncs, n, mostCallsOfAnAppend, strings.Join(between, ""))
		}
	}
	if syncs != appends {
		t.Errorf("%d syncs of the segment, want one for each of %d appends", syncs, appends)
	}
	t.Logf("%d appends made %d calls on the log's files", appends, len(calls))
}

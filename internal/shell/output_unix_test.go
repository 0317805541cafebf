//go:build unix

package shell

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// Not parallel: it measures what the whole process allocates.
func TestStart_OutputDoesNotPassThroughThisProcess(t *testing.T) {
	const most = 1 << 20
	printed := 1 << 30
	if testing.Short() {
		printed = 50 << 20
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c := command(t, Command{
		Line:      fmt.Sprintf("echo first line; head -c %d /dev/zero; sleep 0.3; echo; echo last line", printed),
		OutputMax: most,
	})
	r := begin(t, c).Result()
	runtime.ReadMemStats(&after)
	if r.Exit != 0 || r.OutputSize > most || r.OutputSize < most/4+64<<10 {
		t.Errorf("result %+v, want an output of at most %d bytes", r, most)
	}
	if got := Tail(c.Output, 11); got != "\nlast line\n" {
		t.Errorf("the output ends %q", got)
	}
	if text := Tail(c.Output, most); !strings.HasPrefix(text, "first line\n") || !cutMark.MatchString(text) {
		t.Errorf("the output begins %.100q", text)
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 8<<20 {
		t.Errorf("%d bytes allocated for an output of %d", got, printed)
	}
}

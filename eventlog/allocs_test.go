package eventlog

import (
	"testing"
)

// TestAppend_AllocatesLittle: an append allocates what goes to the goroutine that owns the log and back, and what is kept of
// its commit. Its frame goes into memory that is used again.
func TestAppend_AllocatesLittle(t *testing.T) { // not parallel: it counts what the whole process allocates
	if raceEnabled {
		t.Skip("needs a build without the race detector, which allocates")
	}
	l, err := Open(t.Context(), t.TempDir(), stateless{}, Options{Create: created})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	p := oneEvent()
	const most = 13
	got := testing.AllocsPerRun(100, func() {
		if err := l.Append(t.Context(), p); err != nil {
			t.Error(err)
		}
	})
	t.Logf("%v allocations", got)
	if got > most {
		t.Errorf("%v allocations an append, want at most %d", got, most)
	}
}

package lease

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestSurvey_SaysWhichLocksAreHeld(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if files, err := Survey(dir); err != nil || files != nil {
		t.Errorf("where no run ever was: got %v (%v)", files, err)
	}
	held, err := HoldRun(dir, 12)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Release()
	dead, err := HoldRun(dir, 7)
	if err == nil {
		err = dead.Abandon()
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "runs", "readme"), nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	files, err := Survey(dir)
	if want := []LockFile{{12, true}, {7, false}}; err != nil || !slices.Equal(files, want) {
		t.Errorf("got %v (%v), want %v", files, err, want)
	}
}

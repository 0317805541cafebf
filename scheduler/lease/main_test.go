package lease

import (
	"os"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "role" {
		play(os.Args[2:]) // as another process of a test
	}
	os.Exit(m.Run())
}

// eventually waits for something that happens in another process.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func alive(t *testing.T, dir, id string) bool {
	t.Helper()
	ok, err := WorkerAlive(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

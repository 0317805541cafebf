package queue_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
	"github.com/queuectl/queuectl/queuetest"
)

// holding returns the files below dir that hold a text.
func holding(t *testing.T, dir, text string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// Of the environment of whoever enqueues and of the worker, nothing gets to the disk that was not named.
func TestEnvironment_IsNotRecorded(t *testing.T) {
	const marked = "zebra-of-the-environment"
	t.Setenv("QUEUECTL_TEST_MARK", marked)
	q := open(t, t.TempDir())
	enqueue(t, q, job.Spec{ID: "a", Command: `test -n "$QUEUECTL_TEST_MARK" && exit 3`, MaxRetries: new(uint32(0))}, job.Spec{ID: "b", Command: "true"})
	drain(t, q)
	if j := find(t, q, "a"); j.State != job.Dead || *j.Exit != 3 {
		t.Errorf("the command does not have the worker's environment: %+v", j)
	}
	if _, err := q.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if paths := holding(t, q.Dir(), marked); len(paths) > 0 {
		t.Errorf("it is in %q", paths)
	}
}

// The value of a secret is in its own file and in what the command printed, and nowhere else.
func TestSecrets_StayOutOfTheLog(t *testing.T) {
	const filed, inherited = "value-of-a-file", "value-of-the-environment"
	t.Setenv("INHERITED", inherited)
	t.Setenv("FILED", "the file comes first")
	q := open(t, t.TempDir())
	if err := q.SetSecret("FILED", []byte(filed)); err != nil {
		t.Fatal(err)
	}
	if _, err := q.SetConfig(t.Context(), "redact", `card \d+`); err != nil {
		t.Fatal(err)
	}
	if _, err := q.SetConfig(t.Context(), "output_tail", "40"); err != nil {
		t.Fatal(err)
	}
	names := []string{"FILED", "INHERITED"}
	enqueue(t, q,
		job.Spec{ID: "prints", Command: `echo "[$FILED] [$INHERITED]"; echo card $((4700 + 11)); exit 1`, SecretEnv: names, MaxRetries: new(uint32(0))},
		job.Spec{ID: "cut", Command: `printf %s "$FILED"; printf %035d 0; exit 1`, SecretEnv: names, MaxRetries: new(uint32(0))},
		job.Spec{ID: "has", Command: `test "$FILED$INHERITED" = "$(cat)"`, Stdin: "@" + fileOf(t, filed+inherited), SecretEnv: names},
	)
	drain(t, q)
	if j := find(t, q, "prints"); j.LastError != "Exit 1: ***] [***]\n***" {
		t.Errorf("last error %q", j.LastError)
	}
	if j := find(t, q, "cut"); !strings.HasPrefix(j.LastError, "Exit 1: ***000") {
		t.Errorf("last error %q", j.LastError)
	}
	if j := find(t, q, "has"); j.State != job.Completed {
		t.Errorf("it did not get them: %+v", j)
	}
	if _, err := q.Snapshot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{filed, inherited, "card 4711", filed[5:]} {
		for _, path := range holding(t, q.Dir(), value) {
			if rel, _ := filepath.Rel(q.Dir(), path); !strings.HasPrefix(rel, "output") && rel != filepath.Join("secrets", "FILED") {
				t.Errorf("%q is in %s", value, rel)
			}
		}
	}
}

// What output_max cuts out of the output may go through the middle of a value.
func TestSecrets_ThatACutHasGoneThroughAreHidden(t *testing.T) {
	t.Parallel()
	const value = "value-of-a-file"
	q := open(t, t.TempDir())
	if err := q.SetSecret("FILED", []byte(value)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ max, want string }{
		{"208", "***\n***\n***\n***\n[queuectl: "}, // 52 bytes of 16 each before the line, 104 behind it
		{"209", "***\n***\n***\n***\n[queuectl: "},
	} {
		for key, text := range map[string]string{"output_max": c.max, "output_tail": "1KiB"} {
			if _, err := q.SetConfig(t.Context(), key, text); err != nil {
				t.Fatal(err)
			}
		}
		id := "max" + c.max
		enqueue(t, q, job.Spec{ID: id, Command: `yes "$FILED" | head -n 1000; exit 1`, SecretEnv: []string{"FILED"}, MaxRetries: new(uint32(0))})
		drain(t, q)
		j := find(t, q, id)
		if !strings.Contains(j.LastError, c.want) {
			t.Errorf("last error %q", j.LastError)
		}
		for i := range len(value) - 3 {
			if part := value[i : i+4]; strings.Contains(j.LastError, part) {
				t.Errorf("%q is in the last error %q", part, j.LastError)
			}
		}
	}
}

// fileOf returns the path of a file with this text.
func fileOf(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A secret that cannot be had is a failed attempt that says why; its command is not started.
func TestSecrets_ThatAreMissingOrExposedFailTheRun(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	if err := q.SetSecret("EXPOSED", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(q.Dir(), "secrets", "EXPOSED"), 0o644); err != nil {
		t.Fatal(err)
	}
	spec := func(name string) job.Spec {
		return job.Spec{ID: name, Command: "echo started", SecretEnv: []string{name}, MaxRetries: new(uint32(0))}
	}
	want := map[string]string{"NOBODY_HAS_IT": "Exit 126: queuectl: secret NOBODY_HAS_IT: there is none"}
	enqueue(t, q, spec("NOBODY_HAS_IT"))
	if runtime.GOOS != "windows" {
		enqueue(t, q, spec("EXPOSED"))
		want["EXPOSED"] = "others may read or change it"
	}
	drain(t, q)
	for id, words := range want {
		if j := find(t, q, id); j.State != job.Dead || !strings.Contains(j.LastError, words) || strings.Contains(j.LastError, "started") {
			t.Errorf("%s: %v, %q", id, j.State, j.LastError)
		}
	}
}

func TestSecrets_Refusals(t *testing.T) {
	t.Parallel()
	q := open(t, t.TempDir())
	for name, value := range map[string]string{"": "x", "../A": "x", ".a": "x", "1A": "x", "A=B": "x", "A": "", "B": "a\x00b", "C": strings.Repeat("x", 64<<10+1)} {
		if err := q.SetSecret(name, []byte(value)); !errors.Is(err, job.ErrInvalid) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := q.RemoveSecret("A"); !errors.Is(err, queue.ErrNoSecret) {
		t.Error(err)
	}
	for _, spec := range []job.Spec{
		{Command: "true", SecretEnv: []string{"../A"}},
		{Kind: "k", SecretEnv: []string{"A"}},
		{Command: "true", SecretEnv: []string{"A"}, Env: map[string]string{"A": "x"}},
		{Command: "true", SecretEnv: make([]string, 65)},
	} {
		if err := spec.Validate(); !errors.Is(err, job.ErrInvalid) {
			t.Errorf("%+v: %v", spec, err)
		}
	}
	memory, _ := queuetest.Open(t)
	if err := memory.SetSecret("A", []byte("x")); !errors.Is(err, job.ErrInvalid) {
		t.Error(err)
	}
	if names, err := memory.Secrets(); len(names) > 0 || err != nil {
		t.Errorf("%q, %v", names, err)
	}
}

package job_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/queuectl/queuectl/job"
)

func TestPatterns_KnowTheEndsOfLines(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{"^key=.*$": "key=two", "one$": "one", `\Akey`: ""} {
		var got []byte
		for _, re := range job.Patterns("\n" + pattern + "\n") {
			got = re.Find([]byte("one\nkey=two\nthree"))
		}
		if string(got) != want {
			t.Errorf("%s finds %q, want %q", pattern, got, want)
		}
	}
}

func TestCheckSecret_NamesThatHaveAMeaning(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{
		"TOKEN": nil, "MY_PATH": nil, "PATH": job.ErrInvalid, "QUEUECTL_DIR": job.ErrInvalid, "QUEUECTL_": job.ErrInvalid,
		"": job.ErrInvalid, "1A": job.ErrInvalid, "A-B": job.ErrInvalid,
		strings.Repeat("A", 128): nil, strings.Repeat("A", 129): job.ErrInvalid,
	} {
		if err := job.CheckSecret(name); !errors.Is(err, want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

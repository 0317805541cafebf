package queue

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/queuectl/queuectl/internal/secret"
	"github.com/queuectl/queuectl/job"
)

// ErrNoSecret says that there is no secret with a name.
var ErrNoSecret = errors.New("no such secret")

// SetSecret keeps the value of a secret in a file of the queue's directory, which only its owner can read, in place of
// one that may be there. It is durable when it returns, and nothing of it is in the log. Errors: job.ErrInvalid for a
// name that no secret can have, a value that is empty, has more than 64 KiB or holds NUL, and for a queue in memory.
func (q *Queue) SetSecret(name string, value []byte) error {
	if err := q.checkSecret(name); err != nil {
		return err
	}
	if len(value) == 0 || len(value) > secret.MaxSize || bytes.IndexByte(value, 0) >= 0 {
		return fmt.Errorf("value of secret %s: %w: must be 1 to %d bytes without NUL", name, job.ErrInvalid, secret.MaxSize)
	}
	return secret.Set(q.dir, name, value)
}

// Secrets lists the names of the secrets that the queue's directory holds, in order.
func (q *Queue) Secrets() ([]string, error) {
	if q.dir == "" {
		return nil, nil
	}
	return secret.Names(q.dir)
}

// RemoveSecret removes a secret for good. Error: ErrNoSecret.
func (q *Queue) RemoveSecret(name string) error {
	if err := job.CheckSecret(name); err != nil {
		return err
	}
	err := fs.ErrNotExist
	if q.dir != "" {
		err = secret.Remove(q.dir, name)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("secret %s: %w", name, ErrNoSecret)
	}
	return err
}

func (q *Queue) checkSecret(name string) error {
	if q.dir == "" {
		return fmt.Errorf("secret %s: %w: a queue in memory runs no commands", name, job.ErrInvalid)
	}
	return job.CheckSecret(name)
}

// secret returns the value that a command gets: that of the file or, if there is none, of the worker's environment.
func (w *worker) secret(name string) (string, error) {
	value, err := secret.Get(w.q.dir, name)
	switch {
	case err == nil:
		return value, nil
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("secret %s: %w", name, err)
	}
	env := w.opt.Env
	if env == nil {
		env = os.Environ()
	}
	found := false
	for _, entry := range env {
		if rest, ok := strings.CutPrefix(entry, name+"="); ok {
			value, found = rest, true // the last one holds
		}
	}
	if !found {
		return "", fmt.Errorf("secret %s: there is none, neither of 'queuectl secret set %s' nor in the worker's environment", name, name)
	}
	return value, nil
}

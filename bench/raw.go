package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/queuectl/queuectl/internal/file"
)

// The raw bounds: what the same work would cost if nothing but the bytes counted.

// childRaw writes N records of Size to a file, Batch of them with each write and sync, under a lock if it is to,
// which it lets go before it syncs.
func childRaw(_ context.Context, c *child) error {
	f, err := os.OpenFile(filepath.Join(c.Dir, "raw"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	lock, err := file.OpenLock(filepath.Join(c.Dir, "lock"))
	if err != nil {
		return err
	}
	defer lock.Close()
	records := make([]byte, c.Size*c.Batch)
	write := func() error {
		if c.Lock {
			if err := lock.Exclusive(); err != nil {
				return err
			}
		}
		_, err := f.Write(records)
		if c.Lock {
			err = errors.Join(err, lock.Unlock())
		}
		return errors.Join(err, file.Datasync(f))
	}
	c.ready()
	for n := 0; n < c.N; n += c.Batch {
		if err := write(); err != nil {
			return err
		}
	}
	c.done()
	return nil
}

// raw returns the records/s that k processes write as childRaw does, n each.
func (l *lab) raw(k int, work load) (float64, error) {
	dir, err := l.path()
	if err != nil {
		return 0, err
	}
	defer os.RemoveAll(dir)
	work.Dir = dir
	o, err := l.together(k, "raw", work)
	return float64(k*work.N) / o.seconds, err
}

// oneSync returns how long the write and sync of one record takes, milliseconds.
func (l *lab) oneSync() (float64, error) {
	f, err := os.CreateTemp(l.dir, "sync-")
	if err != nil {
		return 0, err
	}
	defer os.Remove(f.Name())
	defer f.Close()
	start := time.Now()
	if _, err := f.Write(make([]byte, 300)); err != nil {
		return 0, err
	}
	err = file.Datasync(f)
	return time.Since(start).Seconds() * 1e3, err
}

// xargs returns the commands 'true' a second that xargs runs, so many at a time.
func xargs(n, atATime int) (float64, error) {
	cmd := exec.Command("xargs", "-P", fmt.Sprint(atATime), "-n", "1", "true")
	cmd.Stdin = bytes.NewReader(bytes.Repeat([]byte("x\n"), n))
	start := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("xargs: %w", err)
	}
	return float64(n) / time.Since(start).Seconds(), nil
}

// segments are the files of a log in their order.
func segments(dir string) (names []string) {
	for _, sub := range []string{"sealed", "log"} {
		found, _ := filepath.Glob(filepath.Join(dir, sub, strings.Repeat("[0-9]", 20)))
		names = append(names, found...)
	}
	slices.SortFunc(names, func(a, b string) int { return strings.Compare(filepath.Base(a), filepath.Base(b)) })
	return names
}

// scan reads all segments, and computes the CRC of each frame; a frame stands behind its length. It returns how many
// seconds that took.
func scan(dir string) (float64, error) {
	table, frames := crc32.MakeTable(crc32.Castagnoli), 0
	start := time.Now()
	for _, name := range segments(dir) {
		data, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		for len(data) > 0 {
			size, prefix := binary.Uvarint(data)
			if prefix <= 0 || uint64(len(data)-prefix) < size {
				return 0, fmt.Errorf("%s: no frame at %d from its end", name, len(data))
			}
			if crc32.Checksum(data[prefix:prefix+int(size)], table) != 0 {
				frames++
			}
			data = data[prefix+int(size):]
		}
	}
	if frames == 0 {
		return 0, fmt.Errorf("no frame in %s", dir)
	}
	return time.Since(start).Seconds(), nil
}

// readSnapshot reads the files of a snapshot, and returns how many milliseconds that took.
func readSnapshot(dir string) (float64, error) {
	names, _ := filepath.Glob(filepath.Join(dir, "snapshot", "*"))
	start, size := time.Now(), 0
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			return 0, err
		}
		size += len(data)
	}
	if size == 0 {
		return 0, fmt.Errorf("no snapshot in %s", dir)
	}
	return time.Since(start).Seconds() * 1e3, nil
}

package eventlog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// A backup is a tar file, compressed with zstd, of a log as it would be in a directory, and behind that
// the list of what is in it: a text that a person can read, and that sha256sum understands but for its
// first lines. Like FORMAT it ends with the CRC32C of all bytes before:
//
//	queuectl backup
//	format 1
//	id 6b1f0c9ad2e84c5f9d3e7a1b2c4d5e6f
//	time 2026-11-28T01:45:36.123456789Z
//	head 15022 60003 9958f878495a98f6796d82eadb7f1dc9029dd8580ccbf210b990b799bba8a354
//	3a7bd3e2360a3d29eea436fcfb7e44c735d117c42d1c1835420b6b9942dd4f1b  log/FORMAT
//	…
//	crc 0e05f71c
const (
	backupTitle  = "queuectl backup\n"
	backupFormat = 1
	backupList   = "BACKUP"
	// backupListMax bounds the list: enough for a log of terabytes.
	backupListMax = 64 << 20
)

// backupContents is what the list at the end of a backup says.
type backupContents struct {
	id    LogID
	time  int64 // Unix nanoseconds
	head  Head
	files []backupFile // in the order of the tar file
}

// backupFile is a file in a backup.
type backupFile struct {
	path string // with slashes, relative to the queue's directory
	sum  [sha256.Size]byte
}

func (c *backupContents) encode() []byte {
	b := fmt.Appendf(nil, "%sformat %d\nid %x\ntime %s\nhead %d %d %x\n", backupTitle, backupFormat, c.id[:],
		time.Unix(0, c.time).UTC().Format(time.RFC3339Nano), c.head.Commit, c.head.Position, c.head.Hash[:])
	for _, f := range c.files {
		b = fmt.Appendf(b, "%x  %s\n", f.sum, f.path)
	}
	return sealFormat(b)
}

// decodeContents is the inverse of encode. It takes nothing else. The error wraps ErrNewer or
// ErrBadBackup.
func decodeContents(b []byte) (*backupContents, error) {
	body, number, ok := splitFormat(b, backupTitle)
	if ok && number > backupFormat {
		return nil, fmt.Errorf("backup format %d: %w", number, ErrNewer)
	}
	if !ok {
		return nil, badBackup("its list is damaged")
	}
	lines := strings.Split(strings.TrimSuffix(string(body[len(backupTitle):]), "\n"), "\n")
	var c backupContents
	fields := []struct {
		name string
		take func(value string) error
	}{
		{"format ", func(string) error { return nil }},
		{"id ", func(v string) error { return unhex(c.id[:], v) }},
		{"time ", func(v string) error {
			t, err := time.Parse(time.RFC3339Nano, v)
			c.time = t.UnixNano()
			return err
		}},
		{"head ", func(v string) error {
			var hash string
			if _, err := fmt.Sscanf(v, "%d %d %s", &c.head.Commit, &c.head.Position, &hash); err != nil {
				return err
			}
			return unhex(c.head.Hash[:], hash)
		}},
	}
	for i, f := range fields {
		if i == len(lines) || !strings.HasPrefix(lines[i], f.name) {
			return nil, badBackup("its list cannot be understood")
		}
		if err := f.take(lines[i][len(f.name):]); err != nil {
			return nil, fmt.Errorf("%w: its list cannot be understood: %w", ErrBadBackup, err)
		}
	}
	for _, line := range lines[len(fields):] {
		sum, path, _ := strings.Cut(line, "  ")
		f := backupFile{path: path}
		if err := unhex(f.sum[:], sum); err != nil {
			return nil, badBackup("its list cannot be understood")
		}
		c.files = append(c.files, f)
	}
	if !bytes.Equal(c.encode(), b) {
		return nil, badBackup("its list cannot be understood")
	}
	return &c, nil
}

// unhex decodes hexadecimal that must fill dst.
func unhex(dst []byte, s string) error {
	if len(s) != 2*len(dst) {
		return fmt.Errorf("%q has not %d bytes", s, len(dst))
	}
	_, err := hex.Decode(dst, []byte(s))
	return err
}

func badBackup(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadBackup, fmt.Sprintf(format, args...))
}

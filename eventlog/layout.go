package eventlog

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// A queue's directory, as far as the log goes:
//
//	DIR/log/FORMAT                  which format, which log
//	DIR/log/append.lock             the append lock
//	DIR/log/durable                 what is known to be durable (the D file)
//	DIR/log/00000000000000000421    the last two segments, named by their first commit
//	DIR/sealed/0000…                the older segments, same names
//	DIR/archive/0000…-0000….zst     the oldest segments, compressed, many in a file
//	DIR/quarantine/                 what recovery and repair cut off
const (
	logDir        = "log"
	sealedDir     = "sealed"
	archiveDir    = "archive"
	quarantineDir = "quarantine"

	formatFile  = "FORMAT"
	lockFile    = "append.lock"
	durableFile = "durable"
)

// segmentDigits is the length of a segment's name: tidwall/wal's, with leading zeros.
const segmentDigits = 20

// segmentName returns the file name of the segment that begins with the given commit.
func segmentName(first Commit) string {
	return fmt.Sprintf("%0*d", segmentDigits, uint64(first))
}

// parseSegmentName is the inverse of segmentName; ok is false for every other name.
func parseSegmentName(name string) (first Commit, ok bool) {
	if len(name) != segmentDigits {
		return 0, false
	}
	n, err := strconv.ParseUint(name, 10, 64)
	return Commit(n), err == nil && n != 0 && name[0] != '+'
}

// FORMAT is a text that a person can read, of four lines. The last line is, in every format to come
// too, the CRC32C of all bytes before it: so a newer format can be told from a damaged one.
//
//	queuectl log
//	format 1
//	id 6b1f0c9ad2e84c5f9d3e7a1b2c4d5e6f
//	crc 0e05f71c
const (
	formatTitle   = "queuectl log\n"
	formatMaxSize = 4096
)

// encodeFormat returns the contents of FORMAT.
func encodeFormat(id LogID) []byte {
	return sealFormat(fmt.Appendf(nil, "%sformat %d\nid %x\n", formatTitle, frameFormat, id[:]))
}

// sealFormat appends the last line.
func sealFormat(b []byte) []byte {
	return fmt.Appendf(b, "crc %08x\n", crc32.Checksum(b, castagnoli))
}

// decodeFormat returns ErrNewer for a FORMAT of a later version and ErrNotOurs for everything that
// encodeFormat does not write.
func decodeFormat(b []byte) (LogID, error) {
	body, number, ok := splitFormat(b, formatTitle)
	if !ok {
		return LogID{}, fmt.Errorf("%s is not that of a log: %w", formatFile, ErrNotOurs)
	}
	if number > frameFormat {
		return LogID{}, fmt.Errorf("log format %d: %w", number, ErrNewer)
	}
	var id LogID
	_, line, _ := bytes.Cut(body, []byte("\nid "))
	n, err := hex.Decode(id[:], firstN(line, 2*len(id)))
	if err != nil || n != len(id) || !bytes.Equal(b, encodeFormat(id)) {
		return LogID{}, fmt.Errorf("%s cannot be understood: %w", formatFile, ErrNotOurs)
	}
	return id, nil
}

// splitFormat checks what all formats share: the title, the number, the checksum.
func splitFormat(b []byte, title string) (body []byte, number uint64, ok bool) {
	end := bytes.LastIndex(b, []byte("\ncrc ")) + 1
	if end == 0 || !bytes.HasPrefix(b, []byte(title+"format ")) {
		return nil, 0, false
	}
	body = b[:end]
	if !bytes.Equal(b, sealFormat(bytes.Clone(body))) {
		return nil, 0, false
	}
	line, _, _ := bytes.Cut(body[len(title+"format "):], []byte("\n"))
	number, err := strconv.ParseUint(string(line), 10, 32)
	return body, number, err == nil
}

func firstN(b []byte, n int) []byte { return b[:min(n, len(b))] }

// readFormat reads the log id from dir/log/FORMAT. It returns ErrNoLog if there is no dir/log,
// ErrNewer for a log of a later version, and ErrNotOurs for everything else that is not a log of
// ours.
func readFormat(dir string) (LogID, error) {
	path := filepath.Join(dir, logDir, formatFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(filepath.Join(dir, logDir)); errors.Is(err, fs.ErrNotExist) {
			return LogID{}, fmt.Errorf("%s: %w", dir, ErrNoLog)
		}
		f, err = os.Open(path) // log may have come between the two looks, and it comes with its FORMAT
	}
	if errors.Is(err, fs.ErrNotExist) {
		return LogID{}, fmt.Errorf("%s has no %s: %w", filepath.Join(dir, logDir), formatFile, ErrNotOurs)
	}
	if err != nil {
		return LogID{}, fmt.Errorf("open %s: %w", formatFile, err)
	}
	defer f.Close() // only read
	b, err := io.ReadAll(io.LimitReader(f, formatMaxSize))
	if err != nil {
		return LogID{}, fmt.Errorf("read %s: %w", formatFile, err)
	}
	id, err := decodeFormat(b)
	if err != nil {
		return LogID{}, fmt.Errorf("%s: %w", dir, err)
	}
	return id, nil
}

// segmentInfo is a segment as the directories list it.
type segmentInfo struct {
	first  Commit
	path   string
	size   int64
	sealed bool // or archived

	last Commit        // in it; 0 = it is in no archive
	from Position      // of the first event; 0 = not known from the listing
	bad  *CorruptError // the archive that it stands for cannot be read; nil = it can
}

// listTries bounds how often a listing, or the opening of a segment, is repeated because a segment
// may have moved.
const listTries = 3

// listSegments returns the segments of the log in dir, in order, and what is wrong with their names
// (row 3 of the recovery table): a name that is none, a name in both directories. Gaps show when
// the segments are read.
//
// Segments move one way, from log to sealed, so looking in this order misses none that was there at
// the start. What looks wrong may be a rotation under way, and is looked at again.
func listSegments(dir string) (segments []segmentInfo, bad []*CorruptError, err error) {
	for try := 1; ; try++ {
		segments, bad, err = listOnce(dir)
		settled := err == nil && len(bad) == 0 && len(segments) > 0 && !segments[len(segments)-1].sealed
		if settled || try == listTries {
			return segments, bad, err
		}
	}
}

func listOnce(dir string) (segments []segmentInfo, bad []*CorruptError, err error) {
	for _, sub := range []string{logDir, sealedDir} {
		entries, err := os.ReadDir(filepath.Join(dir, sub))
		if errors.Is(err, fs.ErrNotExist) && sub == sealedDir {
			continue // it is made with the first segment that moves there
		}
		if err != nil {
			return nil, nil, fmt.Errorf("list segments: %w", err)
		}
		for _, entry := range entries {
			path := filepath.Join(dir, sub, entry.Name())
			if !segmentLike(entry.Name()) {
				continue
			}
			first, ok := parseSegmentName(entry.Name())
			info, err := entry.Info()
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue // moved since; the listing of sealed has it
			case err != nil:
				return nil, nil, fmt.Errorf("list segments: %w", err)
			case !ok || !info.Mode().IsRegular():
				const reason = "not the name or not the kind of file of a segment"
				bad = append(bad, &CorruptError{Path: path, Row: 3, Reason: reason})
				continue
			}
			s := segmentInfo{first: first, path: path, size: info.Size(), sealed: sub == sealedDir}
			segments = append(segments, s)
		}
	}
	// Stable: of two with one name, that in log comes first.
	slices.SortStableFunc(segments, func(a, b segmentInfo) int { return cmp.Compare(a.first, b.first) })
	for i := len(segments) - 1; i > 0; i-- {
		log, sealed := segments[i-1], segments[i]
		if log.first != sealed.first {
			continue
		}
		if _, err := os.Lstat(log.path); errors.Is(err, fs.ErrNotExist) {
			segments = slices.Delete(segments, i-1, i) // it moved between the two listings
			continue
		}
		const reason = "segment is there twice, in log and in sealed"
		bad = append(bad, &CorruptError{Path: sealed.path, Commit: sealed.first, Row: 3, Reason: reason})
		segments = slices.Delete(segments, i, i+1)
	}
	return segments, bad, nil
}

// segmentLike says whether a file could be meant as a segment: its name begins with 20 digits,
// which is all that tidwall/wal asks for; it would act on 0000…1.START, too.
func segmentLike(name string) bool {
	return len(name) >= segmentDigits && strings.Trim(name[:segmentDigits], "0123456789") == ""
}

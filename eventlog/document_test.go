package eventlog

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestDocument_AgreesWithTheCode compares the tables of the published format with the constants
// that they describe.
func TestDocument_AgreesWithTheCode(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "docs", "internals", "format.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.ReplaceAll(string(b), "\r\n", "\n")
	fields := func(table string, from int, list ...string) []string {
		rows := make([]string, 0, len(list)/2)
		for i := 0; i < len(list); i += 2 {
			var size int
			if _, err := fmt.Sscan(list[i+1], &size); err != nil {
				t.Fatal(table, err)
			}
			rows = append(rows, fmt.Sprintf("| %d | %d | %s", from, size, list[i]))
			from += size
		}
		return rows
	}
	gap := func(from, to int) string { return fmt.Sprint(to - from) }
	var want []string
	want = append(want, fields("frame", offMagic,
		"magic: "+strings.ToUpper(fmt.Sprintf("% x", magicBytes)), gap(offMagic, offFormat),
		fmt.Sprintf("format of the frame: %d", frameFormat), gap(offFormat, offFlags),
		"flags: 0", gap(offFlags, offHeaderLen),
		fmt.Sprintf("size of the header: %d", headerSize), gap(offHeaderLen, offCommit),
		"commit", gap(offCommit, offFirst),
		"position of the first event", gap(offFirst, offTime),
		"time", gap(offTime, offSynced),
		"synced through", gap(offSynced, offPrev),
		"hash of the previous frame", gap(offPrev, offEvents),
		"number of events", gap(offEvents, offBodyLen),
		"size of the body", gap(offBodyLen, headerSize))...)
	want = append(want, fields("place", 0,
		"id of the log", "16", "segment: the number", "8", "offset of the entry", gap(24, seedSize))...)
	want = append(want, fields("D file", slotLogID,
		"id of the log", gap(slotLogID, slotSeg),
		"segment", gap(slotSeg, slotCommit),
		"commit: all up to this one", gap(slotCommit, slotEnd),
		"offset in the segment", gap(slotEnd, slotHash),
		"the first bytes of the commit's hash", gap(slotHash, slotBoot),
		"the first bytes of the SHA-256 of the machine's boot id", gap(slotBoot, slotCRC),
		"CRC32C of the bytes before", gap(slotCRC, slotSize))...)
	want = append(want, fields("snapshot", 0,
		"magic: A7 51 53 4E", "4", fmt.Sprintf("format of the file: %d", snapshotFormat), "1", "flags: 0", "1",
		fmt.Sprintf("size of the header: %d", snapHeaderSize), gap(6, snapLogID),
		"id of the log", gap(snapLogID, snapFrom),
		"from: the commit", gap(snapFrom, snapFromPos),
		"last position of that commit", gap(snapFromPos, snapCommit),
		"commit", gap(snapCommit, snapPosition),
		"last position of the commit", gap(snapPosition, snapTime),
		"time of the commit", gap(snapTime, snapHash),
		"hash of the commit's frame", gap(snapHash, snapSegment),
		"segment that the commit is in", gap(snapSegment, snapOffset),
		"offset in the segment at which the commit ends", gap(snapOffset, snapDirectory),
		"offset of the directory", gap(snapDirectory, snapDirSize),
		"size of the directory", gap(snapDirSize, snapCRC),
		"CRC32C of the bytes before", gap(snapCRC, snapHeaderSize))...)
	want = append(want, fields("directory", 0,
		"section", "2", "0", "6", "first: what", "8", "offset", "8", "size", "4", "CRC32C of the block", gap(28, snapEntrySize))...)
	want = append(want,
		fmt.Sprintf("begin with the first %d bytes of the header", snapSeedSize),
		fmt.Sprintf("The directory has %d bytes for each block", snapEntrySize),
	)
	want = append(want, fields("manifest", 0,
		"magic: "+strings.ToUpper(fmt.Sprintf("% x", binary.LittleEndian.AppendUint32(nil, manifestMagic))), gap(0, manOffFormat),
		fmt.Sprintf("format of the archive: %d", manifestFormat), gap(manOffFormat, manOffFlags),
		"flags: 0", gap(manOffFlags, manOffSegments),
		"number of segments", gap(manOffSegments, manOffLogID),
		"id of the log", gap(manOffLogID, manOffPrev),
		"hash of the frame before the first", gap(manOffPrev, manHeaderSize))...)
	want = append(want, fields("row", 0,
		"first commit", gap(rowOffFirst, rowOffLast),
		"last commit", gap(rowOffLast, rowOffFrom),
		"position of the first event", gap(rowOffFrom, rowOffTo),
		"position of the last event", gap(rowOffTo, rowOffSize),
		"size of the segment", gap(rowOffSize, rowOffOffset),
		"offset of its zstd frame", gap(rowOffOffset, rowOffPacked),
		"size of its zstd frame", gap(rowOffPacked, rowOffCRC),
		"CRC32C of the zstd frame", gap(rowOffCRC, rowOffSum),
		"SHA-256 of the segment", gap(rowOffSum, rowOffHash),
		"hash of its last frame", gap(rowOffHash, manifestRow))...)
	want = append(want,
		fmt.Sprintf("| 4 | %s, which begins a skippable frame", strings.ToUpper(fmt.Sprintf("% x", binary.LittleEndian.AppendUint32(nil, skippableMagic)))),
		fmt.Sprintf("The last %d bytes of the file", manTrailerSize),
		fmt.Sprintf("| %d | %d × segments |", manHeaderSize, manifestRow),
		fmt.Sprintf("| %d + %d × segments | 4 | size of the manifest", manHeaderSize, manifestRow),
		fmt.Sprintf("| `%s/%s` |", archiveDir, archiveName(1, 420)),
		fmt.Sprintf("`%s/%s`", archiveDir, archiveLock), fmt.Sprintf("`%s/%s`", archiveDir, unfinished),
		fmt.Sprintf("| %d | body | body |", headerSize),
		fmt.Sprintf("| %d + body | %d | CRC32C", headerSize, trailerSize),
		fmt.Sprintf("A frame has %d to %d bytes and 1 to %d events.", minFrame, MaxFrame, MaxEvents),
		fmt.Sprintf("| 0 | 1 to %d | size of the frame", maxPrefix),
		fmt.Sprintf("Two slots of %d bytes", slotSize),
		fmt.Sprintf("multiples of %d", pieceSize),
		fmt.Sprintf("at least %d bytes", minPiece),
		fmt.Sprintf("in %d digits", segmentDigits),
	)
	for i, field := range []string{
		"string | user", "string | host", "uint32 | process id", "string | program", "string | reason",
		"string | working directory", "string | `PATH`",
	} {
		want = append(want, fmt.Sprintf("| %d | %s", i+1, field))
	}
	for _, name := range []string{formatFile, lockFile, durableFile} {
		want = append(want, "`"+logDir+"/"+name+"`")
	}
	for row := 1; row <= 9; row++ {
		want = append(want, fmt.Sprintf("\n| %d | ", row))
	}
	// What a line says may go on in the next.
	joined := regexp.MustCompile(`([^|\n]) ?\n *([^|\n])`).ReplaceAllString(doc, "$1 $2")
	for _, s := range want {
		if !strings.Contains(joined, s) {
			t.Errorf("format.md does not say %q", s)
		}
	}

	// The example of FORMAT is one.
	example := regexp.MustCompile("(?s)```text\n(queuectl log\n.*?)```").FindStringSubmatch(doc)
	if example == nil {
		t.Fatal("format.md has no example of FORMAT")
	}
	if id, err := decodeFormat([]byte(example[1])); err != nil {
		line := regexp.MustCompile("id ([0-9a-f]{32})").FindStringSubmatch(example[1])
		if line != nil {
			_, _ = hex.Decode(id[:], []byte(line[1]))
		}
		t.Errorf("the example of FORMAT: %v; want\n%s", err, encodeFormat(id))
	}
}

// TestDocument_ItsBackupListIsOne: of a log with a single file.
func TestDocument_ItsBackupListIsOne(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(filepath.Join("..", "docs", "internals", "format.md"))
	if err != nil {
		t.Fatal(err)
	}
	doc := strings.ReplaceAll(string(b), "\r\n", "\n")
	example := regexp.MustCompile("(?s)```text\n(" + backupTitle + ".*?)```").FindStringSubmatch(doc)
	if example == nil {
		t.Fatal("format.md has no example of a list")
	}
	body := example[1][:strings.LastIndex(example[1], "crc ")]
	if want := string(sealFormat([]byte(body))); example[1] != want {
		t.Errorf("the example of a list ends with another line than %q", want[len(body):])
	}
	if c, err := decodeContents(sealFormat([]byte(body))); err != nil || len(c.files) != 1 {
		t.Errorf("the example of a list: %+v, %v", c, err)
	}
	for _, name := range []string{backupList, logDir + "/" + formatFile, archiveDir + "/…", sealedDir + "/…", logDir + "/…"} {
		if !strings.Contains(doc, "\n| `"+name+"` |") {
			t.Errorf("the table of a backup has no %q", name)
		}
	}
}

package shell

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"
)

// output is the file that a command prints to. The command appends to it by itself; this process only looks at its size.
type output struct {
	file *os.File // opened for appending; nil = the null device
	path string
	max  int64 // 0 = no limit
	keep bool  // also if it is empty

	mu      sync.Mutex
	timer   *time.Timer // of the next look; nil = nobody looks
	closed  bool
	missing int64 // bytes that were cut
	marker  int64 // length of the line that says so; 0 = nothing was cut yet
}

func openOutput(c *Command) (*output, error) {
	f, err := c.reuse(), error(nil)
	if c.Output == "" {
		return &output{}, nil
	}
	if f == nil {
		f, err = makeOutput(c.Output)
	}
	if err != nil {
		return nil, fmt.Errorf("open output: %w", err)
	}
	return &output{file: f, path: c.Output, max: c.OutputMax, keep: c.KeepEmpty}, nil
}

func makeOutput(path string) (*os.File, error) {
	const flag = os.O_WRONLY | os.O_CREATE | os.O_APPEND
	f, err := os.OpenFile(path, flag, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = makeDirs(filepath.Dir(path)); err == nil {
			f, err = os.OpenFile(path, flag, 0o600)
		}
	}
	return f, err
}

// makeDirs makes a directory and the one that it is in, but no more: who deleted a queue does not want it back.
func makeDirs(dir string) error {
	err := os.Mkdir(dir, 0o700)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.Mkdir(filepath.Dir(dir), 0o700); err == nil || errors.Is(err, fs.ErrExist) {
			err = os.Mkdir(dir, 0o700)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}

// reuse returns the file c.Reuse under the name of c.Output, opened for appending. It returns nil if it cannot serve,
// and removes it unless something is in it: then it is the output of what an earlier command left behind.
func (c *Command) reuse() *os.File {
	if c.Reuse == "" {
		return nil
	}
	f, err := os.OpenFile(c.Reuse, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return nil
	}
	info, err := f.Stat()
	if err == nil && info.Size() == 0 && c.Output != "" && renameUnshared(f, c.Output) {
		return f
	}
	f.Close() // nothing was written
	if err == nil && info.Size() == 0 {
		os.Remove(c.Reuse) // an empty file left over tells no lie
	}
	return nil
}

// complain says in the output why there is none.
func (o *output) complain(reason error) {
	if o.file != nil {
		fmt.Fprintf(o.file, "queuectl: %v\n", reason) // if it cannot be written, the exit code still tells
	}
}

// watch keeps the file below its limit until close.
func (o *output) watch() {
	const interval = 100 * time.Millisecond
	if o.file == nil || o.max <= 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.timer = time.AfterFunc(interval, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if !o.closed {
			o.trimLocked()
			o.timer.Reset(interval)
		}
	})
}

// close takes a last look, and returns the size of the file, which it removes if it is empty and not to be kept.
func (o *output) close() (size int64) {
	if o.file == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
	if o.timer != nil {
		o.timer.Stop()
	}
	o.trimLocked()
	if info, err := o.file.Stat(); err == nil {
		size = info.Size()
	}
	o.file.Close() // what the command wrote was its own to check
	if size == 0 && !o.keep {
		os.Remove(o.path) // an empty file left over tells no lie
	}
	return size
}

// trimLocked cuts the middle out of a file that is too long. It does nothing if that fails: the disk may be full, and the
// next look tries again.
//
//	before  head | line of the last cut | … what is cut … | tail | what is printed meanwhile
//	after   head | line                 | tail | what was printed meanwhile
//
// The command goes on appending at the end, wherever that is at each of its writes. What it prints while the tail moves
// moves as well; only what it prints between the last look at the end and the cut, a few microseconds later, is lost.
// Against a command that prints faster than we copy, the last chunk has to do for a tail.
func (o *output) trimLocked() {
	const chunk = 64 << 10
	if o.max <= 0 {
		return
	}
	info, err := o.file.Stat()
	if err != nil || info.Size() <= o.max {
		return
	}
	f, err := os.OpenFile(o.path, os.O_RDWR, 0) // the one that we have can only append
	if err != nil {
		return
	}
	defer f.Close() // what cannot be written stays longer than it should
	buf := make([]byte, chunk)
	if !o.cutLocked(f, buf, cut{tail: o.max / 2, most: 2 * o.max}) {
		o.cutLocked(f, buf, cut{tail: min(chunk, o.max/2), final: true})
	}
}

var cutMark = regexp.MustCompile(`\n\[queuectl: (\d+) bytes of output cut out\]\n`)

// Cuts returns where in an output something was cut out, as the beginnings and ends of the lines that say so.
func Cuts(output []byte) [][]int { return cutMark.FindAllIndex(output, -1) }

// cut says how to cut.
type cut struct {
	tail  int64 // bytes at the end that stay
	most  int64 // bytes to copy until it is clear that the command prints faster
	final bool  // cut after the first copy, whatever was printed meanwhile
}

// cutLocked cuts once. It reports false if the command printed faster than what it printed was copied.
func (o *output) cutLocked(f *os.File, buf []byte, c cut) bool {
	info, err := f.Stat()
	if err != nil {
		return true
	}
	head, from := o.max/4, info.Size()-c.tail
	missing := o.missing + from - head - o.marker
	line := fmt.Sprintf("\n[queuectl: %d bytes of output cut out]\n", missing) // as cutMark has it
	to := head + int64(len(line))
	if to >= from {
		return true // the limit is shorter than the line
	}
	if _, err := f.WriteAt([]byte(line), head); err != nil {
		return true
	}
	for stop := from + c.most; ; {
		n, err := f.ReadAt(buf, from)
		if err != nil && !errors.Is(err, io.EOF) {
			return true
		}
		if n > 0 {
			if _, err := f.WriteAt(buf[:n], to); err != nil {
				return true
			}
			from, to = from+int64(n), to+int64(n)
		}
		if n == 0 || c.final {
			break
		}
		if from > stop {
			return false
		}
	}
	if f.Truncate(to) == nil {
		o.missing, o.marker = missing, int64(len(line))
	}
	return true
}

package eventlog

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/queuectl/queuectl/internal/effort"
)

var powerCuts = effort.New("power", "cuts", "how often to cut the power")

// TestPowerCut_EveryAcknowledgedCommitIsThere lets several processes append to a log on a file system of
// its own, which is then shut down as a power cut would: nothing more reaches the disk, and what was not
// synced is gone. After that the log opens by itself, and all that was ever acknowledged is in it.
//
// It happens in a process that has its mounts for itself: however that ends, they end with it.
func TestPowerCut_EveryAcknowledgedCommitIsThere(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a run without -short")
	}
	t.Parallel()
	seed, count := powerCuts.Seed(0), powerCuts.Count(50)
	c := process(t.Context(), t, "cut the power", strconv.Itoa(count), strconv.FormatUint(seed, 10))
	c.Args = append(c.Args, "-test.timeout=0") // that of this process holds
	runtime.LockOSThread()                     // whose death the signal is for
	defer runtime.UnlockOSThread()
	c.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL}
	c.Stderr = nil
	output, err := c.CombinedOutput()
	if errors.Is(err, fs.ErrPermission) {
		t.Skipf("needs the right to mount: %v", err)
	}
	for _, line := range said(string(output)) {
		if why, cannot := strings.CutPrefix(line, "cannot: "); cannot {
			t.Skip(why)
		}
		t.Logf("seed %d: %s", seed, line)
		var cuts, told, repairs int
		if n, _ := fmt.Sscanf(line, powerSummary, &cuts, &told, &repairs); n == 3 {
			effort.Report(t, map[string]int{"cuts": cuts, "acknowledged": told, "torn tails": repairs})
		}
	}
	if err != nil {
		t.Errorf("%v: %s\nagain: go test ./eventlog -run PowerCut -power.cuts %d -power.seed %d", err, output, count, seed)
	}
}

const powerSummary = "%d power cuts; %d events acknowledged, %d torn tails cut"

func init() {
	roles["cut the power"] = func(t *testing.T, args []string) {
		count, _ := strconv.Atoi(args[0])
		seed, _ := strconv.ParseUint(args[1], 10, 64)
		disk, err := newOutageDisk(t)
		if err != nil {
			say("cannot: %v", err)
			return
		}
		p := &outage{t: t, disk: disk, random: rand.New(rand.NewPCG(seed, seed))}
		t.Cleanup(func() {
			if t.Failed() {
				say("the file system is kept in %s", disk.keep())
			}
		})
		disk.mount()
		for n := range count {
			if p.round(n); t.Failed() {
				break
			}
		}
		p.check()
		say(powerSummary, p.cuts, p.told, p.repairs)
	}
}

// outage is a series of power cuts.
type outage struct {
	t      *testing.T
	disk   *outageDisk
	random *rand.Rand
	dir    string // of the log that is written
	size   int    // of its segments

	mu      sync.Mutex
	acked   []string // in dir
	enough  int      // acknowledgements until the power is cut
	reached chan struct{}
	dark    bool // the power is cut, or about to be: nothing that is said counts

	cuts, checks, told, repairs int
}

const outageWriters = 3

// round starts writers, cuts the power, and checks what is there after that.
func (p *outage) round(n int) {
	if n == 0 || p.random.IntN(5) == 0 { // another log: it may be cut while it is made
		p.check()
		os.RemoveAll(p.dir) // or a thousand of them would fill the disk
		p.dir, p.acked = filepath.Join(p.disk.dir, fmt.Sprintf("q%d", n)), nil
		p.size = []int{4096, 16384, defaultSegmentSize}[p.random.IntN(3)]
	}
	p.reached, p.enough, p.dark = make(chan struct{}), 1+p.random.IntN(100), false
	switch p.random.IntN(8) {
	case 0:
		p.enough = 1 + p.random.IntN(3) // not long after the writers have opened the log, and have mended it
	case 1:
		close(p.reached) // while they are at that
		p.enough = 0
	}
	writers, wait := p.start(n)
	<-p.reached
	time.Sleep(time.Duration(p.random.IntN(3000)) * time.Microsecond) // when to strike is the seed's choice
	if p.random.IntN(4) == 0 {
		writers[0].Process.Kill() // its last writes are then nobody's to sync
	}
	// From here on nobody is there to be told anything. It is not so with this kind of cut: processes live on, and
	// a plain loop of write(2) and fdatasync(2) shows that a sync on its way now may succeed and be lost.
	p.mu.Lock()
	p.dark = true
	p.mu.Unlock()
	p.disk.cut([]int{downAtOnce, downAtOnce, downAtOnce, downJournaled, downFlushed}[p.random.IntN(5)])
	for _, c := range writers {
		c.Process.Kill()
	}
	wait()
	p.disk.unmount()
	p.disk.mount()
	p.cuts++
	if p.random.IntN(4) > 0 { // else the next writers mend it, and are cut off at that
		p.check()
	}
}

// start starts writers. wait waits until they are dead.
func (p *outage) start(n int) (writers []*exec.Cmd, wait func()) {
	var listening sync.WaitGroup
	for i := range outageWriters {
		c := process(p.t.Context(), p.t, "append until the disk fails", p.dir, fmt.Sprintf("%d-%d", n, i), strconv.Itoa(p.size))
		output, err := c.StdoutPipe()
		if err == nil {
			err = c.Start()
		}
		if err != nil {
			p.t.Fatalf("process: %v", err)
		}
		writers = append(writers, c)
		listening.Go(func() { p.listen(output) })
	}
	return writers, func() {
		listening.Wait()
		for _, c := range writers {
			c.Wait() // killed
		}
	}
}

// listen takes down what a writer says, until it is dead.
func (p *outage) listen(output io.Reader) {
	for s := bufio.NewScanner(output); s.Scan(); {
		line, ok := strings.CutPrefix(s.Text(), "say ")
		if !ok {
			continue
		}
		p.mu.Lock()
		why, ended := strings.CutPrefix(line, "ended: ")
		switch {
		case p.dark:
		case ended:
			p.t.Errorf("a writer ended before the power was cut: %s", why)
		default:
			p.acked = append(p.acked, line)
			p.told++
		}
		if ended && p.enough > 0 {
			p.enough = 1 // nothing more may come
		}
		if p.enough--; p.enough == 0 {
			close(p.reached)
		}
		p.mu.Unlock()
	}
}

func init() {
	roles["append until the disk fails"] = func(t *testing.T, args []string) {
		size, _ := strconv.Atoi(args[2])
		h := &handle{state: &ledger{}}
		var err error
		h.Log, err = Open(t.Context(), args[0], h.state, Options{Create: created, SegmentSize: size})
		if err != nil {
			say("ended: %v", err)
			return
		}
		var wg sync.WaitGroup
		for g := range 2 {
			wg.Go(func() {
				for k := 0; ; k++ {
					name := fmt.Sprintf("%s.%d.%d", args[1], g, k)
					if err := h.Append(t.Context(), h.proposes(outageData(name))); err != nil {
						say("ended: %v", err)
						return
					}
					say("%s", name)
				}
			})
		}
		wg.Wait()
	}
}

// outageData is what the event of that name holds: anything up to a few blocks of a file, or zeros, which a
// torn frame may look like.
func outageData(name string) string {
	sum := fnv.New64a()
	sum.Write([]byte(name))
	random := rand.New(rand.NewPCG(sum.Sum64(), 0))
	data := make([]byte, random.IntN(1500))
	if random.IntN(8) > 0 {
		for i := range data {
			data[i] = byte(random.Uint32())
		}
	}
	return name + " " + string(data)
}

// check opens the log, which mends it, and looks for all that was acknowledged.
func (p *outage) check() {
	if p.dir == "" {
		return
	}
	h := openDirLog(p.t, p.dir, Options{SegmentSize: p.size})
	defer h.Close()
	if damage := h.Damage(); damage != nil {
		p.t.Fatalf("the log does not open by itself: %v", damage)
	}
	name := fmt.Sprintf("check%d.0", p.checks)
	p.checks++
	if err := h.Append(p.t.Context(), h.proposes(name)); err != nil {
		p.t.Fatalf("append: %v", err)
	}
	p.acked = append(p.acked, name) // and all before it is known to be durable
	if err := h.Close(); err != nil {
		p.t.Errorf("close: %v", err)
	}
	r, err := NewReader(p.dir, 0)
	if err != nil {
		p.t.Fatalf("reader: %v", err)
	}
	defer r.Close()
	var lines []string
	for {
		e, err := r.Next(p.t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			p.t.Fatalf("read: %v", err)
		}
		for i := range e.Events {
			name, _, padded := strings.Cut(string(e.Events[i].Data), " ")
			if padded && string(e.Events[i].Data) != outageData(name) {
				p.t.Errorf("%s is not what was written", name)
			}
			lines = append(lines, fmt.Sprintf("%d:%s", len(lines)+1, name))
		}
	}
	wantAcknowledged(p.t, lines, p.acked)
	report := wantSound(p.t, p.dir)
	p.repairs += len(h.TakeRepairs())
	if report.Torn != nil || report.Events != uint64(len(lines)) {
		p.t.Errorf("verify: %+v, want %d events and nothing torn", report, len(lines))
	}
}

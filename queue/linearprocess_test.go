package queue_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/queuectl/queuectl/internal/effort"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/queue"
)

// TestProcesses_AreLinearizableWhileTheyAreKilled has real processes enqueue, cancel, retry, look, claim, end runs and
// change a setting, and kills them in the middle of it. Porcupine must find an order, for each job and for the setting,
// that explains every answer; what a process was doing when it was killed may have happened, then or never.
func TestProcesses_AreLinearizableWhileTheyAreKilled(t *testing.T) {
	t.Parallel()
	operations := 2_000
	if testing.Short() {
		operations = 300
	}
	operations, seed := linears.Count(operations), linears.Seed(0)
	s := &society{t: t, dir: effort.Dir(t), begun: time.Now(), operations: operations}
	q := open(t, s.dir)
	for _, set := range [][2]string{{"max_crashes", "1000000000"}, {register, "0"}} {
		if _, err := q.SetConfig(t.Context(), set[0], set[1]); err != nil {
			t.Fatal(err)
		}
	}
	var clients, workers sync.WaitGroup
	over := make(chan struct{})
	for i := range 6 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		if i < 4 {
			clients.Go(func() { s.client(random) })
		} else {
			workers.Go(func() { s.worker(random, over) })
		}
	}
	clients.Wait()
	close(over)
	workers.Wait()
	drainSociety(t, q) // after which nothing runs
	for id := range s.ids {
		s.call(func(op string) (string, bool) { return perform(t.Context(), q, op), true }, processOp{op: "state", id: id})
	}
	s.addUnreported()
	if got := porcupine.CheckOperationsTimeout(processModel.ToModel(), s.history, 5*time.Minute); got != porcupine.Ok {
		t.Errorf("seed %d: %d operations are %s", seed, len(s.history), got)
		s.accuse()
	}
	if s.kills == 0 || s.claims == 0 {
		t.Errorf("seed %d: %d kills, %d claims: that proves little", seed, s.kills, s.claims)
	}
	effort.Report(t, map[string]int{"operations": len(s.history), "claims": s.claims, "kills": s.kills, "unknown": s.unknown})
}

// perform does what a client is told: an operation in words, "enqueue ID".
func perform(ctx context.Context, q *queue.Queue, line string) string {
	op, id, _ := strings.Cut(line, " ")
	var err error
	switch op {
	case "enqueue":
		_, err = q.Enqueue(ctx, job.Spec{ID: id, Kind: "k", MaxRetries: new(uint32)})
	case "cancel":
		err = q.Cancel(ctx, id)
	case "retry":
		err = q.Retry(ctx, false, id)
	case "set":
		_, err = q.SetConfig(ctx, register, id)
	case "get":
		var settings []queue.Setting
		settings, err = q.Config(ctx)
		for _, s := range settings {
			if s.Key == register {
				return s.Value
			}
		}
	case "state":
		var j job.Job
		if j, err = q.Job(ctx, id); err == nil && j.State == job.Processing {
			return fmt.Sprintf("processing %d", j.Run)
		} else if err == nil {
			return j.State.String()
		}
	}
	switch {
	case err == nil:
		return "ok"
	case errors.Is(err, job.ErrExists):
		return "exists"
	case errors.Is(err, job.ErrNotFound):
		return "not found"
	case errors.Is(err, job.ErrWrongState):
		return "wrong state"
	}
	return err.Error()
}

// playClient performs each line that it reads, and answers with one.
func playClient(ctx context.Context, q *queue.Queue) error {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		fmt.Println(perform(ctx, q, lines.Text()))
	}
	return nil
}

// playAsker is a worker that says which run has begun, and is told how it ends.
func playAsker(ctx context.Context, q *queue.Queue) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	verdicts := make(chan string)
	go func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			verdicts <- lines.Text()
		}
		cancel() // whoever asks is gone, or has enough
		close(verdicts)
	}()
	return q.Run(ctx, queue.WorkerOptions{Slots: 1, NoShell: true, Handlers: map[string]queue.Handler{
		"k": func(_ context.Context, j job.Job) error {
			fmt.Printf("began %s %d\n", j.Spec.ID, j.Run)
			if <-verdicts == "good" {
				return nil
			}
			return errors.New("as I was told")
		},
	}})
}

// drainSociety finds lost what those who were killed ran, and runs nothing.
func drainSociety(t *testing.T, q *queue.Queue) {
	t.Helper()
	none := func(context.Context, job.Job) error { return errors.New("nobody enqueues that") }
	err := q.Run(t.Context(), queue.WorkerOptions{NoShell: true, UntilEmpty: true, Handlers: map[string]queue.Handler{"none": none}})
	if err != nil {
		t.Fatal(err)
	}
}

// society is a few processes, and the history of what they were told.
type society struct {
	t          *testing.T
	dir        string
	begun      time.Time
	operations int

	mu                     sync.Mutex
	history                []porcupine.Operation
	ids                    map[string]bool
	runs                   map[string]bool // that were reported
	kills, claims, unknown int
	people                 int
}

const never = math.MaxInt64

func (s *society) now() int64 { return time.Since(s.begun).Nanoseconds() }

// note adds an operation, and returns its place in the history.
func (s *society) note(op processOp, answer string, from, to int64) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ids == nil {
		s.ids, s.runs = map[string]bool{}, map[string]bool{}
	}
	if op.id != register {
		s.ids[op.id] = true
	}
	if answer == unknown {
		s.unknown++
	}
	if op.op == "claim" {
		s.claims++
		s.runs[op.id+" "+op.run] = true
	}
	s.people++
	s.history = append(s.history, porcupine.Operation{ClientId: s.people, Input: op, Output: answer, Call: from, Return: to})
	return len(s.history) - 1
}

// call has an operation performed, and notes what became of it.
func (s *society) call(do func(string) (string, bool), op processOp) {
	word := op.id
	if op.op == "set" {
		word = op.value
	}
	from := s.now()
	if answer, known := do(op.op + " " + word); known {
		s.note(op, answer, from, s.now())
	} else if op.op != "state" && op.op != "get" {
		s.note(op, unknown, from, never)
	}
}

// person is a process that is spoken with.
type person struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

func (s *society) start(role string) *person {
	p := &person{Cmd: roleCommand(s.t, role, s.dir)}
	var out io.Reader
	var err error
	if p.in, err = p.StdinPipe(); err == nil {
		if out, err = p.StdoutPipe(); err == nil {
			err = p.Start()
		}
	}
	if err != nil {
		s.t.Error(err)
		return nil
	}
	p.out = bufio.NewReader(out)
	return p
}

// ask says a line, and returns the answer, or that there will be none.
func (p *person) ask(line string) (string, bool) {
	if _, err := io.WriteString(p.in, line+"\n"); err != nil {
		return "", false
	}
	return p.hear()
}

func (p *person) hear() (string, bool) {
	line, err := p.out.ReadString('\n')
	return strings.TrimSuffix(line, "\n"), err == nil
}

// kill kills a process, and returns what it has said and nobody has heard yet.
func (s *society) kill(p *person) (rest []string) {
	_ = p.Process.Kill() // it may have been killed before
	for line, alive := p.hear(); alive; line, alive = p.hear() {
		rest = append(rest, line)
	}
	_ = p.Wait() // it was killed
	s.mu.Lock()
	s.kills++
	s.mu.Unlock()
	return rest
}

// client has a share of the operations performed, by one process after the other.
func (s *society) client(random *rand.Rand) {
	const each = 4
	p := s.start("client")
	for n := 0; p != nil && n < s.operations/each; n++ {
		op := processOp{op: []string{"enqueue", "enqueue", "cancel", "retry", "state", "state", "set", "get"}[random.IntN(8)]}
		op.id = fmt.Sprintf("job-%d", n/3+random.IntN(8)) // all clients at about the same place
		if op.op == "set" || op.op == "get" {
			op.id, op.value = register, strconv.Itoa(random.IntN(1000))
		}
		doomed := random.IntN(40) == 0
		if doomed {
			process := p.Process
			time.AfterFunc(time.Duration(random.IntN(3000))*time.Microsecond, func() { _ = process.Kill() }) // when is the seed's choice
		}
		s.call(p.ask, op)
		if doomed {
			s.kill(p)
			p = s.start("client")
		}
	}
	if p != nil {
		_ = p.in.Close() // it ends
		if err := p.Wait(); err != nil {
			s.t.Errorf("a client ended with %v", err)
		}
	}
}

// worker lets one process after the other run jobs, until it is over.
func (s *society) worker(random *rand.Rand, over <-chan struct{}) {
	for {
		p := s.start("asker")
		if p == nil {
			return
		}
		ended := make(chan struct{})
		go func() {
			select {
			case <-over:
				_ = p.in.Close() // it stops
			case <-ended:
			}
		}()
		killed := s.work(p, random)
		close(ended)
		if !killed {
			return
		}
	}
}

// work notes the claims and the ends of the runs of one process, and says whether that was killed. A run was claimed after
// the one before had its verdict, for there is one slot, and before it said that it has begun; and it has ended before the
// next one began.
func (s *society) work(p *person, random *rand.Rand) (killed bool) {
	free, last := s.now(), -1 // when it could claim; the outcome that may not be durable yet
	for {
		line, alive := p.hear()
		now := s.now()
		words := strings.Fields(line)
		if !alive || len(words) != 3 {
			_ = p.Wait() // it was told to stop
			return false
		}
		if last >= 0 {
			s.mu.Lock()
			s.history[last].Return = now
			s.mu.Unlock()
		}
		id, run := words[1], words[2]
		s.note(processOp{op: "claim", id: id, run: run}, "ok", free, now)
		verdict := []string{"good", "bad"}[random.IntN(2)]
		switch random.IntN(30) {
		case 0: // before it has the verdict
			from := s.now()
			s.kill(p)
			s.note(processOp{op: "lost", id: id, run: run}, unknown, from, never)
			return true
		case 1: // while it records it
			from := s.now()
			_, _ = io.WriteString(p.in, verdict+"\n") // it lives
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
			s.note(processOp{op: "outcome", id: id, run: run, value: verdict}, unknown, from, never)
			s.note(processOp{op: "lost", id: id, run: run}, unknown, from, never)
			for _, line := range s.kill(p) {
				if words := strings.Fields(line); len(words) == 3 {
					s.note(processOp{op: "claim", id: words[1], run: words[2]}, "ok", from, s.now())
					s.note(processOp{op: "lost", id: words[1], run: words[2]}, unknown, from, never)
				}
			}
			return true
		}
		free = s.now()
		last = s.note(processOp{op: "outcome", id: id, run: run, value: verdict}, "ok", free, never)
		if _, err := io.WriteString(p.in, verdict+"\n"); err != nil { // it is over, and the worker stops
			s.mu.Lock()
			s.history[last].Input, s.history[last].Output = processOp{op: "outcome", id: id, run: run, value: "bad"}, unknown
			s.mu.Unlock()
			s.note(processOp{op: "lost", id: id, run: run}, unknown, free, never) // or given back
			last = -1
		}
	}
}

// addUnreported adds the claims of workers that were killed before they could report them, as far as anybody saw them.
func (s *society) addUnreported() {
	for _, op := range s.history {
		in := op.Input.(processOp)
		run, processing := strings.CutPrefix(op.Output.(string), "processing ")
		if processing && !s.runs[in.id+" "+run] {
			s.note(processOp{op: "claim", id: in.id, run: run}, "ok", 0, op.Return)
			s.note(processOp{op: "lost", id: in.id, run: run}, unknown, 0, never)
		}
	}
}

// accuse tells of the jobs whose answers fit no order.
func (s *society) accuse() {
	for _, part := range processModel.Partition(s.history) {
		model := processModel
		model.Partition = nil
		if porcupine.CheckOperationsTimeout(model.ToModel(), part, time.Minute) != porcupine.Ok {
			for _, op := range part {
				s.t.Logf("%d to %d: %v → %v", op.Call, op.Return, op.Input, op.Output)
			}
		}
	}
}

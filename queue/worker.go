package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/queuectl/queuectl/decide"
	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/scheduler"
)

// Handler runs a job of a kind. ctx ends when the run is killed, exceeds its timeout, or the worker has
// to stop now; the run lasts until the handler returns. An error is a failed attempt, and so is a panic.
type Handler func(ctx context.Context, j job.Job) error

// WorkerOptions are preferences of [Queue.Run]; the zero value runs shell jobs of all queues, one at a
// time.
type WorkerOptions struct {
	Slots    int                // runs at a time; 0 = 1
	Queues   []string           // served, in turn; empty = all, in one order: see scheduler.Lanes
	Handlers map[string]Handler // by kind
	NoShell  bool               // run no commands; a queue in memory never does
	Env      []string           // environment of commands; nil = that of this process
	// Program is the queuectl that calls the addresses of hooks; "" = that of the hook's PATH. See job.PostCommand.
	Program     string
	UntilEmpty  bool             // end when no job of the queues served waits, paused or not, or runs anywhere; but for held ones, and what comes after them
	UntilIdle   bool             // end when none of them can be begun now or runs anywhere
	BackoffBase float64          // holds while backoff_base is not set; 0 = none
	StopNow     <-chan struct{}  // when closed: end the running commands too, and give their jobs back
	Started     func(job.Worker) // called when the worker is in the log; nil = not
}

// Run works until ctx ends, a RequestStop reaches it, or with UntilEmpty or UntilIdle nothing is left. Then
// it claims nothing more, waits for what runs, and returns nil; so it does at once if ctx ends before it has
// begun. It returns an error when the log cannot be written any more, after ending the commands that run:
// what cannot be recorded must not be done. Other errors: job.ErrInvalid for options that no worker can
// have; job.ErrNoWorker, after ending the commands as well, if another worker has taken this one for dead.
//
// Several Runs, in one process or in many, share the work.
func (q *Queue) Run(ctx context.Context, opt WorkerOptions) error {
	w, err := q.newWorker(opt)
	if err != nil {
		return err
	}
	welcomed := false
	welcome := func(*decide.State) {
		if !welcomed { // it may be asked twice
			welcomed = true
			q.m.welcome(q.opt)
		}
		q.m.state.LoadLive()
	}
	if err := q.log.Peek(ctx, q.m.looking(welcome)); err != nil {
		return unlessEnded(ctx, err)
	}
	defer func() {
		_ = q.log.Peek(context.WithoutCancel(ctx), func(eventlog.Head) { q.m.dismiss() }) // nobody waits on a closed log
	}()
	if err := w.register(ctx); err != nil {
		return unlessEnded(ctx, err)
	}
	q.log.Watch()
	background, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	w.asked, w.ctx = ctx, background
	w.sweepNow()
	why, err := w.loop(ctx)
	cancel()
	w.goroutines.Wait()
	return errors.Join(err, w.unregister(why))
}

// unlessEnded returns nil for the error of a ctx that has ended: the worker was told to stop before it had begun, and
// nothing of it is in the log.
func unlessEnded(ctx context.Context, err error) error {
	if ended := ctx.Err(); ended != nil && errors.Is(err, ended) {
		return nil
	}
	return err
}

// worker is one Run. Its loop claims for free slots; each run has a goroutine, which records its
// outcome and claims the slot's next job in one commit.
type worker struct {
	q      *Queue
	opt    WorkerOptions
	lanes  scheduler.Lanes
	logger zerolog.Logger
	asked  context.Context // Run's: when it ends, nothing more is claimed
	ctx    context.Context // of goroutines that must outlive asked; ends with the worker

	id         string
	key        job.Position
	release    func() error
	newestPeer job.Position  // the latest worker that has a watcher; owned by the log's goroutine
	swept      time.Duration // when it last looked for files to remove (Options.Elapsed); owned by the loop
	blind      bool          // the last look at the log failed; owned by the loop
	blindSince time.Duration // Options.Elapsed

	wake       chan struct{}  // a slot is free or the worker cannot go on; capacity 1
	goroutines sync.WaitGroup // runs, and watchers of other workers

	mu         sync.Mutex
	runs       map[job.Position]*run // by run number: claimed, and its outcome not yet durable
	claims     map[job.Position]*run // by run number: the claim that was decided last, until its answer is known
	claiming   int                   // slots taken by claims under way
	reclaiming int                   // dead workers whose jobs are being put back
	stopping   bool                  // claim nothing more
	now        bool                  // and give the running jobs back
	why        string                // the first reason to stop
	fatal      error                 // why the worker cannot go on
	paused     time.Duration         // claim nothing before this moment (Options.Elapsed): the machine is full
	unsaid     int                   // runs that ended and whose outcome could not be recorded
}

func (q *Queue) newWorker(opt WorkerOptions) (*worker, error) {
	if opt.Slots == 0 {
		opt.Slots = 1
	}
	if opt.Slots < 0 || opt.Slots > math.MaxInt32 { // the log has 32 bits for it
		return nil, fmt.Errorf("worker slots %d: %w: must be 1 to %d", opt.Slots, job.ErrInvalid, math.MaxInt32)
	}
	if opt.BackoffBase != 0 && !(opt.BackoffBase >= 1) {
		return nil, fmt.Errorf("worker backoff base %v: %w: at least 1", opt.BackoffBase, job.ErrInvalid)
	}
	if len(opt.Queues) == 0 {
		opt.Queues = nil // as in the log
	}
	for _, name := range opt.Queues {
		if err := job.CheckQueue(name); err != nil {
			return nil, err
		}
	}
	for kind := range opt.Handlers {
		if err := job.CheckKind(kind); err != nil { // "" would stand for commands
			return nil, err
		}
	}
	w := &worker{
		q: q, opt: opt, id: rand.Text()[:16],
		wake: make(chan struct{}, 1), runs: map[job.Position]*run{}, claims: map[job.Position]*run{},
	}
	w.lanes = scheduler.Lanes{
		Queues: opt.Queues,
		Shell:  !opt.NoShell && q.dir != "",
		Kinds:  slices.Sorted(maps.Keys(opt.Handlers)),
	}
	w.logger = q.opt.Logger.With().Str("worker", w.id).Logger()
	return w, nil
}

// register takes the worker's lock, then makes the worker known: nobody can see it in the log while its
// lock is still free.
func (w *worker) register(ctx context.Context) (err error) {
	if w.release, err = w.q.leases.hold(w.id); err != nil {
		return err
	}
	started := &job.WorkerStarted{
		ID: w.id, Slots: uint32(w.opt.Slots),
		Queues: w.lanes.Queues, Kinds: w.lanes.Kinds, Shell: w.lanes.Shell,
	}
	var known job.Worker
	err = w.q.change(ctx, func(s *decide.State, at job.At) ([]job.Event, error) {
		w.key = at.Position
		known = job.Worker{
			Key: at.Position, ID: w.id, Slots: started.Slots, Queues: started.Queues,
			Kinds: started.Kinds, Shell: started.Shell, User: at.Actor.User, Host: at.Actor.Host,
			PID: at.Actor.PID, StartedAt: at.When(),
		}
		return decide.StartWorker(s, at, started)
	})
	if err != nil {
		return errors.Join(err, w.release())
	}
	w.logger.Info().Uint64("position", uint64(w.key)).Int("slots", w.opt.Slots).Msg("worker started")
	if w.opt.Started != nil {
		w.opt.Started(known)
	}
	return nil
}

// unregister says in the log that the worker ended, and only then lets its lock go: a worker that the
// log still knows and whose lock is free is dead. If an outcome could not be recorded the worker dies
// in that sense, so that another puts its jobs back.
func (w *worker) unregister(why string) error {
	var err error
	if w.unsaid == 0 {
		stopped := w.q.proposal("", func(s *decide.State, at job.At) ([]job.Event, error) {
			return decide.StopWorker(s, at, w.key, why)
		})
		stopped.Essential = true // as the outcomes are: nothing is left to be done on a full disk
		err = w.q.log.Append(context.WithoutCancel(w.ctx), stopped)
		if errors.Is(err, job.ErrNoWorker) {
			err = nil // somebody thought it dead already
		}
	}
	w.logger.Info().Str("why", why).Msg("worker stopped")
	return errors.Join(err, w.release())
}

// glance is what the loop needs to know of the state, taken in one look.
type glance struct {
	known    bool // the log still knows this worker
	stopping bool
	now      bool
	due      bool
	next     int64                    // when the next job is due, if not due
	waits    bool                     // next is valid
	tick     int64                    // when the next tick of a schedule comes
	ticks    bool                     // tick is valid
	deadline int64                    // the first of those of the jobs that wait
	dated    bool                     // deadline is valid
	failing  bool                     // a parent's end has left jobs to be ended in further commits
	tail     int64                    // bytes of the log that no snapshot may have
	finished bool                     // nothing is left to do for UntilEmpty or UntilIdle
	kills    map[job.Position][]int32 // signals asked for, by run number
	peers    []job.Worker             // that were not seen before
}

// loop claims and watches until there is a reason to stop and what runs has ended; it says why.
func (w *worker) loop(ctx context.Context) (why string, err error) {
	batch := 1      // slots to fill at once: grows while there is work for all of them
	ticked := false // there may be more ticks: those of a week come in many commits, and slots are filled meanwhile
	for {
		changed := w.q.log.Changed()
		g, err := w.look()
		if err == nil && !g.known {
			err = fmt.Errorf("worker %s was declared dead by another: %w", w.id, job.ErrNoWorker)
		}
		if w.blind = w.bears(err); w.blind {
			g = glance{known: true, peers: g.peers}
		} else if err != nil {
			w.fail(err)
		}
		w.watchPeers(g.peers)
		w.killAsked(g.kills)
		w.noteStop(ctx, g)
		w.q.keepUp(g.tail, true)
		if why, over := w.over(); over {
			return why, w.failure()
		}
		if w.expiresNow(g) && w.expire() {
			continue
		}
		more := ticked
		if ticked = !ticked && w.ticksNow(g) && w.tick(); ticked {
			continue
		}
		if slots := w.reserve(g.due, batch); slots > 0 {
			if batch = min(2*batch, w.opt.Slots); w.claim(slots) < slots {
				batch = 1
			}
			continue
		}
		batch = 1
		if more && w.ticksNow(g) {
			continue
		}
		if w.q.opt.Elapsed()-w.swept >= sweepFilesEvery {
			w.sweepNow()
		}
		w.sleep(ctx, changed, g)
	}
}

// bears says that the worker goes on although it could not look at the log: too many files are open,
// perhaps, and a disk may fail once. What runs goes on meanwhile, and nothing is claimed.
func (w *worker) bears(err error) bool {
	if err == nil {
		return false
	}
	for _, final := range []error{eventlog.ErrClosed, eventlog.ErrNoLog, eventlog.ErrNewer, job.ErrNoWorker} {
		if errors.Is(err, final) {
			return false
		}
	}
	if now := w.q.opt.Elapsed(); !w.blind {
		w.blindSince = now
	} else if now-w.blindSince > recordPatience {
		return false
	}
	w.pause(err)
	return true
}

// look takes a glance. What it sees may not be durable yet, which is all right for deciding what to
// propose; what leads to an act outside the log (kills, stops) is made durable first.
func (w *worker) look() (glance, error) {
	var g glance
	acts := false
	see := w.q.m.looking(func(s *decide.State) {
		w.q.m.noticeStep()
		g, acts = w.glance(s)
	})
	err := w.q.log.Peek(w.ctx, see)
	if err == nil && acts {
		peers := g.peers // seen once, told once
		err = w.q.log.View(w.ctx, see)
		g.peers = append(peers, g.peers...)
	}
	if err != nil {
		return glance{peers: g.peers}, err // what else was seen may not be true
	}
	return g, nil
}

func (w *worker) glance(s *decide.State) (g glance, acts bool) {
	self, known := s.Jobs.Worker(w.key)
	g = glance{known: known, stopping: self.Stopping, now: self.StopNow, tail: w.q.m.tail}
	g.next, g.waits = s.Timeline.NextDue(w.lanes)
	g.due = g.waits && g.next <= w.q.opt.Now().UnixNano()
	g.tick, g.ticks = s.Jobs.NextTick()
	g.deadline, g.dated = s.Jobs.NextDeadline()
	g.failing = s.Jobs.AnyFailing()
	g.finished = w.finished(s, g)
	for _, key := range self.Running {
		if b, ok := s.Jobs.Brief(key); ok && b.KillAsked {
			if g.kills == nil {
				g.kills = map[job.Position][]int32{}
			}
			g.kills[b.Run] = s.Jobs.Kills(key)
		}
	}
	if newest := s.Jobs.LastWorker(); newest > w.newestPeer {
		for p := range s.Jobs.Workers() {
			if p.Key > w.newestPeer && p.Key != w.key {
				g.peers = append(g.peers, p)
			}
		}
		w.newestPeer = newest
	}
	return g, !known || g.stopping || g.kills != nil
}

// noteStop notes a reason to stop, and ends the running commands if that is asked for.
func (w *worker) noteStop(ctx context.Context, g glance) {
	w.mu.Lock()
	defer w.mu.Unlock()
	why := ""
	switch {
	case w.fatal != nil:
		why, w.now = "error", true
	case stopNowAsked(w.opt.StopNow):
		why, w.now = "signal", true
	case g.stopping:
		why, w.now = "stop requested", w.now || g.now
	case ctx.Err() != nil:
		why = "signal"
	case g.finished && len(w.runs) == 0 && w.claiming == 0 && w.reclaiming == 0:
		why = "nothing left"
	default:
		return
	}
	if !w.stopping {
		w.logger.Info().Str("why", why).Int("running", len(w.runs)).Msg("worker stopping")
	}
	w.stopping = true
	if w.why == "" || w.fatal != nil {
		w.why = why
	}
	if w.now {
		for _, r := range w.runs {
			r.giveBack()
		}
	}
}

// stops says that nothing more is to be claimed, also if the loop does not know yet. w.mu is held.
func (w *worker) stops() bool { return w.stopping || w.asked.Err() != nil }

// over says that the worker has stopped and nothing of it runs any more.
func (w *worker) over() (why string, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.why, w.stopping && len(w.runs) == 0 && w.claiming == 0
}

func stopNowAsked(asked <-chan struct{}) bool {
	select {
	case <-asked: // nil is never ready
		return true
	default:
		return false
	}
}

func (w *worker) failure() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fatal
}

// reserve sets free slots aside for a claim, at most so many, if something is due and the machine can
// start commands.
func (w *worker) reserve(due bool, most int) (slots int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !due || w.stops() || w.q.opt.Elapsed() < w.paused {
		return 0
	}
	slots = min(w.opt.Slots-len(w.runs)-w.claiming, most)
	w.claiming += slots
	return slots
}

// sleep returns when the log has changed, a slot is free, a job or a tick may be due, or it is time to stop. It
// lasts at most a second, because the wall clock may be set and the directory may be deleted.
func (w *worker) sleep(ctx context.Context, changed <-chan struct{}, g glance) {
	const (
		most = time.Second
		rest = 5 * time.Millisecond
	)
	a := alarms{changed: changed, stop: ctx.Done(), stopNow: w.opt.StopNow}
	w.mu.Lock()
	if w.stopping {
		a.stop = nil // noted: from here on only what runs matters
	}
	if w.now {
		a.stopNow = nil
	}
	if w.fatal != nil {
		a.changed = nil
	}
	full := len(w.runs)+w.claiming >= w.opt.Slots
	w.mu.Unlock()
	wait, now := most, w.q.opt.Now().UnixNano()
	if left := time.Duration(g.next - now); g.waits && left > 0 {
		wait = min(left, most)
	}
	if left := time.Duration(g.tick - now); g.ticks && left > 0 {
		wait = min(left, wait)
	}
	if left := time.Duration(g.deadline - now); g.dated && left > 0 {
		wait = min(left, wait)
	}
	if w.await(a, wait) && full {
		// Nothing can be claimed, and most changes are this worker's own outcomes then: they come together.
		a.changed = nil
		w.await(a, rest)
	}
}

// alarms are what ends a sleep before its time, besides rouse; nil = that does not.
type alarms struct{ changed, stop, stopNow <-chan struct{} }

// await sleeps. It says whether a change of the log has ended that.
func (w *worker) await(a alarms, most time.Duration) (changed bool) {
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-a.changed:
		return true
	case <-timer.C:
	case <-w.wake:
	case <-a.stop:
	case <-a.stopNow:
	}
	return false
}

// rouse makes the loop look again.
func (w *worker) rouse() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// fail notes why the worker cannot go on. It rouses the loop once: the loop itself may fail each time
// that it looks, until what runs has ended.
func (w *worker) fail(err error) {
	w.mu.Lock()
	first := w.fatal == nil
	if first {
		w.fatal = err
	}
	w.stopping = true
	w.mu.Unlock()
	if first {
		w.rouse()
	}
}

package storm

import (
	"fmt"
	"time"

	"github.com/queuectl/queuectl/eventlog"
	"github.com/queuectl/queuectl/job"
)

// judge folds the log of a storm. It believes nothing that the queue's own fold says, and knows only what it needs: which
// jobs there are, which run of each is under way, and how each run ended.
type judge struct {
	jobs    map[job.Position]*course
	ids     map[string]job.Position
	workers map[job.Position]worker
	kills   map[int][]time.Time // by pid, in order
	limits  map[string]uint32   // of queues that have one: how many jobs run at a time
	running map[string]uint32   // of each queue
	commits map[eventlog.Commit]eventlog.Hash

	runs, lost int
	crimes     []Overlap
	reclaims   []time.Duration
}

// course is a job, as its events tell of it.
type course struct {
	id        string
	queue     string
	run       job.Position // under way; 0 = none
	worker    job.Position // that has it
	completed job.Position // the run that completed it; 0 = none
	ended     string       // how it ended otherwise; "" = it has not
}

type worker struct {
	pid     int
	started time.Time
}

func newJudge(kills []Kill) *judge {
	g := &judge{
		jobs: map[job.Position]*course{}, ids: map[string]job.Position{}, workers: map[job.Position]worker{},
		kills: map[int][]time.Time{}, limits: map[string]uint32{}, running: map[string]uint32{},
		commits: map[eventlog.Commit]eventlog.Hash{},
	}
	for _, k := range kills {
		if k.Role == Worker {
			g.kills[k.PID] = append(g.kills[k.PID], k.At)
		}
	}
	return g
}

// fold takes up an event of the log.
func (g *judge) fold(at job.At, e job.Event) {
	switch e := e.(type) {
	case *job.WorkerStarted:
		if at.Actor != nil {
			g.workers[at.Position] = worker{int(at.Actor.PID), at.When()}
		}
	case *job.JobEnqueued:
		g.jobs[at.Position] = &course{id: e.Spec.ID, queue: e.Spec.Queue}
		g.ids[e.Spec.ID] = at.Position
	case job.QueueLimited:
		g.limits[e.Queue] = e.Limits().Concurrency
	case job.JobClaimed:
		g.claim(at, e)
	case *job.JobCompleted:
		if j := g.end(e.Job, e.Run); j != nil {
			j.completed = e.Run
		}
	case *job.JobFailed:
		g.end(e.Job, e.Run)
	case *job.JobDied:
		if j := g.end(e.Job, e.Run); j != nil {
			j.ended = "dead"
		}
	case *job.JobCancelled:
		if j := g.end(e.Job, e.Run); j != nil {
			j.ended = "cancelled"
		}
	case job.RunReturned:
		g.end(e.Job, e.Run)
	case job.RunLost:
		g.end(e.Job, e.Run)
		g.lost++
		g.reclaimed(at.When(), e.Worker)
	}
}

func (g *judge) claim(at job.At, e job.JobClaimed) {
	g.runs++
	j := g.jobs[e.Job]
	switch {
	case j == nil:
		g.accuse(fmt.Sprintf("#%d", e.Job), at.Position, "claimed, and nobody has enqueued it")
		return
	case j.run != 0:
		g.accuse(j.id, at.Position, fmt.Sprintf("claimed while run %d was under way", j.run))
	case j.completed != 0:
		g.accuse(j.id, at.Position, fmt.Sprintf("claimed although run %d had completed it", j.completed))
	}
	if j.run == 0 {
		g.running[j.queue]++
	}
	if limit := g.limits[j.queue]; limit > 0 && g.running[j.queue] > limit {
		g.accuse(j.id, at.Position, fmt.Sprintf("claimed as number %d of queue %s, in which %d may run", g.running[j.queue], j.queue, limit))
	}
	j.run, j.worker = at.Position, e.Worker
}

// end ends the run of a job, nil if there is no such job. Run 0 is none.
func (g *judge) end(key, run job.Position) *course {
	j := g.jobs[key]
	if j == nil {
		return nil
	}
	if run != j.run {
		g.accuse(j.id, run, fmt.Sprintf("its end was taken while run %d was under way", j.run))
	}
	if j.run != 0 {
		g.running[j.queue]--
	}
	j.run = 0
	return j
}

func (g *judge) accuse(id string, run job.Position, how string) {
	g.crimes = append(g.crimes, Overlap{Job: id, Run: run, How: how})
}

// reclaimed notes how long it took from the kill of a worker until a run of it was found lost. Those that were killed at the end
// of the storm, when nobody was left to find them, are not among the kills.
func (g *judge) reclaimed(when time.Time, key job.Position) {
	w := g.workers[key]
	for _, killed := range g.kills[w.pid] {
		if killed.Before(w.started) {
			continue // another process had the pid then
		}
		if took := when.Sub(killed); took >= 0 { // or else the clock was set back
			g.reclaims = append(g.reclaims, took)
		}
		return
	}
}

// unfinished lists the jobs that have not completed, but for those that may have ended otherwise: see [Hearing.May].
func (g *judge) unfinished(may func(id, how string) bool) (list []string) {
	for key, id := range g.inOrder() {
		switch j := g.jobs[key]; {
		case j.run != 0:
			list = append(list, id+": runs still, by the log")
		case j.ended != "" && may != nil && may(id, j.ended):
		case j.ended != "":
			list = append(list, id+": "+j.ended)
		case j.completed == 0:
			list = append(list, id+": waits")
		}
	}
	return list
}

// unseen lists the completions of which no command has seen the end. ended has the runs of which one has.
func (g *judge) unseen(ended map[seenRun]bool) (list []string) {
	for key, id := range g.inOrder() {
		if j := g.jobs[key]; j.completed != 0 && !ended[seenRun{id, j.completed}] {
			list = append(list, fmt.Sprintf("%s: completed by run %d", id, j.completed))
		}
	}
	return list
}

// seenRun is a run as its command knows it.
type seenRun struct {
	job string
	run job.Position
}

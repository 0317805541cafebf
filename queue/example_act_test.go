package queue_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/queuectl/queuectl/job"
	"github.com/queuectl/queuectl/projection"
	"github.com/queuectl/queuectl/queue"
)

// The same web hook may come twice: the job that is there is the answer to the second.
func ExampleQueue_EnqueueEach_unique() {
	ctx := context.Background()
	q, err := queue.NewMemory().Open(ctx, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()

	hook := job.Spec{Kind: "deliver", UniqueKey: "hook:4711", UniqueFor: time.Hour, OnClash: job.ClashExisting}
	for range 2 {
		each, err := q.EnqueueEach(ctx, []job.Spec{hook}, queue.EnqueueOptions{})
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println("position", each[0].Job.Key, "is new:", each[0].How == queue.Added)
	}
	hook.OnClash = job.ClashRefuse
	_, err = q.Enqueue(ctx, hook)
	fmt.Println("taken:", errors.Is(err, job.ErrDuplicate))
	// Output:
	// position 2 is new: true
	// position 2 is new: false
	// taken: true
}

// Select finds jobs, and Act does something to those of them that still fit.
func ExampleQueue_Act() {
	ctx := context.Background()
	q, err := queue.NewMemory().Open(ctx, queue.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer q.Close()
	for _, team := range []string{"web", "data", "web"} {
		if _, err := q.Enqueue(ctx, job.Spec{Kind: "build", Tags: map[string]string{"team": team}}); err != nil {
			log.Fatal(err)
		}
	}

	hold := queue.Holding()
	chosen, err := q.Select(ctx, hold, []string{"all"}, projection.Filter{Tags: map[string]string{"team": "web"}})
	if err != nil {
		log.Fatal(err)
	}
	acted, err := q.Act(ctx, hold, chosen, nil)
	if err != nil {
		log.Fatal(err)
	}
	held, err := q.Count(ctx, projection.Filter{Held: true})
	fmt.Println(len(acted.Keys), "were held,", acted.Left, "had changed meanwhile,", held, "are held", err)
	// Output: 2 were held, 0 had changed meanwhile, 2 are held <nil>
}

package lease_test

import (
	"fmt"
	"log"
	"os"

	"github.com/queuectl/queuectl/scheduler/lease"
)

// A worker holds its lock for its whole life. Others ask by its id.
func ExampleHoldWorker() {
	dir, err := os.MkdirTemp("", "queue-*")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)

	worker, err := lease.HoldWorker(dir, "K4N7QX2M")
	if err != nil {
		log.Fatal(err)
	}
	alive, err := lease.WorkerAlive(dir, "K4N7QX2M")
	fmt.Println(alive, err)

	// Its end is in the log by now.
	if err := worker.Release(); err != nil {
		log.Fatal(err)
	}
	alive, err = lease.WorkerAlive(dir, "K4N7QX2M")
	fmt.Println(alive, err)
	// Output:
	// true <nil>
	// false <nil>
}

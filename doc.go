// Package queuectl is a job queue in one static binary and one directory, in which every fact is an
// event that is never lost, never rewritten, and can be replayed.
//
// There is no code here. Start with
//
//   - [github.com/queuectl/queuectl/queue] to embed the queue in a Go program;
//   - [github.com/queuectl/queuectl/cmd/queuectl] for the command line;
//   - [github.com/queuectl/queuectl/queuetest] to test handlers, or the queue itself, with a fake
//     clock, an in-memory log and injected faults;
//   - [github.com/queuectl/queuectl/eventlog] for the log: its promises, its format, its audit;
//   - [github.com/queuectl/queuectl/job] for the words of the domain: jobs, states, events.
package queuectl

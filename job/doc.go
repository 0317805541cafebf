// Package job holds the words of the domain: what a job is, the states of its life and the transitions
// between them, every event that a log may hold, the settings, and how each of these is written down.
//
// What it promises:
//
//   - An [Event] is written as the message of its name in event.proto, which is published: any
//     protobuf library reads a log's events. Equal events have equal bytes, and what was once written
//     stays readable: kinds and fields are added, never changed.
//   - A value that a queue takes has been checked by [Spec.Validate] or [Config.Set]; what is wrong
//     with it is said with its name, the value and the range.
//   - A [Job] is printed as JSON that [ParseSpec] reads again.
//
// Everything here is a value or a pure function: safe for concurrent use as values are, free of clocks,
// randomness, goroutines and input or output, and importing nothing else of queuectl. The package does
// not know which event follows from what (package decide), what events add up to (projection), when a
// job is due (scheduler), nor where any of it is kept (eventlog).
package job

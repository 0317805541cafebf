package main

type logCmd struct {
	List   logListCmd   `cmd:"" help:"List the events of the log."`
	Verify logVerifyCmd `cmd:"" help:"Check every byte of the log."`
}

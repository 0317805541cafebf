package main

import (
	"runtime"
	"runtime/debug"
)

// version is set by the linker in releases.
var version = ""

type versionCmd struct{}

// Help is shown below the usage line.
func (versionCmd) Help() string {
	return `Examples:

  queuectl version`
}

// Run prints the version.
func (versionCmd) Run(s *session) error {
	if s.format.machine() {
		return s.document(map[string]string{
			"version": programVersion(), "go": runtime.Version(), "os": runtime.GOOS, "arch": runtime.GOARCH,
		})
	}
	s.printf("%s", program())
	return nil
}

// program is this program's name and version, as the log keeps them with every commit.
func program() string { return "queuectl " + programVersion() }

// programVersion is that of the release, of the module, or of the commit that was built.
func programVersion() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "unknown"
	}
	return info.Main.Version
}

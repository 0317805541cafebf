package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"unicode/utf8"

	"github.com/alecthomas/kong"
)

// flagValue reads what follows a flag as kong does, but for what kong lets pass, because a value may begin
// with a hyphen (--priority -5): none at all, for which it would take an empty one, and another flag.
type flagValue struct{ kong.Mapper }

// looksLikeFlag matches what is more often a flag whose predecessor lacks its value than a value.
var looksLikeFlag = regexp.MustCompile(`^(-[a-zA-Z]|--[a-z][a-z-]*(=.*)?)$`)

// Decode reads the value. An empty one is a script's variable that was not set, unless the flag is for words
// that may as well be missing.
func (m flagValue) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	next := ctx.Scan.Peek()
	switch {
	case ctx.Value.Flag == nil: // an argument: there is one, or kong would not ask
	case next.IsEOL():
		return errors.New("missing value")
	case next.Type == kong.UntypedToken && looksLikeFlag.MatchString(next.String()):
		return fmt.Errorf("missing value; if it is meant to be %s, write --%s=%[1]s", next, ctx.Value.Name)
	case next.String() == "" && !ctx.Value.Tag.Has("empty"):
		return errors.New("empty value")
	}
	return m.Mapper.Decode(ctx, target)
}

// flagValues makes kong read the values of all flags that have no type of their own through flagValue.
func flagValues() kong.Option {
	given := kong.NewRegistry().RegisterDefaults()
	return kong.OptionFunc(func(k *kong.Kong) error {
		for _, kind := range []reflect.Type{
			reflect.TypeFor[string](), reflect.TypeFor[int](), reflect.TypeFor[int64](), reflect.TypeFor[uint64](), reflect.TypeFor[float64](),
		} {
			if err := kong.KindMapper(kind.Kind(), flagValue{given.ForType(kind)}).Apply(k); err != nil {
				return err
			}
		}
		return nil
	})
}

// forgetEmpty takes variables that are set to nothing out of the environment: they are as good as none.
func forgetEmpty(flags []*kong.Flag) {
	for _, f := range flags {
		for _, name := range f.Envs {
			if os.Getenv(name) == "" {
				_ = os.Unsetenv(name) // of a variable that is not set it does nothing
			}
		}
	}
}

// checkText returns a failure if an argument or a flag's variable is not UTF-8: kong has read it as
// something else.
func checkText(args []string, flags []*kong.Flag) error {
	for i, arg := range args {
		if !utf8.ValidString(arg) {
			return usage(fmt.Sprintf("argument %d (%q) is not valid UTF-8", i+1, arg), "")
		}
	}
	for _, f := range flags {
		for _, name := range f.Envs {
			if value := os.Getenv(name); !utf8.ValidString(value) {
				return usage(fmt.Sprintf("%s (%q) is not valid UTF-8", name, value), "")
			}
		}
	}
	return nil
}

package router

import (
	"context"
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/redis/go-redis/v9"
)

// readGuard is the outermost hook of every node's client. go-redis panics on some
// replies that no Redis sends, such as a text of 2^63 bytes: here that becomes an
// error of the node, whichever goroutine reads. go-redis has then thrown the
// connection away. Every other panic passes: that of a user's hook, of a
// transaction function, of an argument that marshals itself.
type readGuard struct{}

// unreadableError is why a node's reply has no meaning.
type unreadableError struct{ cause any }

func (e *unreadableError) Error() string { return fmt.Sprint("reply could not be read: ", e.cause) }

func (readGuard) DialHook(next redis.DialHook) redis.DialHook { return next }

func (readGuard) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) (err error) {
		done := false
		defer func() {
			if !done && readerPanicked() {
				err = &unreadableError{recover()}
			}
		}()
		err = next(ctx, cmd)
		done = true
		return err
	}
}

func (readGuard) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) (err error) {
		done := false
		defer func() {
			if !done && readerPanicked() {
				err = &unreadableError{recover()}
				setErrors(cmds, err) // nobody knows which of them have their replies
			}
		}()
		err = next(ctx, cmds)
		done = true
		return err
	}
}

// readable runs what reads from a node without the client's hooks, and returns an
// error if a reply could not be read.
func readable(read func()) (err error) {
	done := false
	defer func() {
		if !done && readerPanicked() {
			err = &unreadableError{recover()}
		}
	}()
	read()
	done = true
	return nil
}

var (
	goRedis  = reflect.TypeFor[redis.Client]().PkgPath()
	guarding = reflect.TypeFor[readGuard]().PkgPath() + ".read" // readGuard and readable
)

// readerPanicked reports, to a deferred function, a panic that go-redis itself
// raised while it read a reply. The frames of a panic are still on the stack: what
// raised it first stands below the last gopanic of them, since go-redis raises it
// once more after it has dropped the connection.
func readerPanicked() bool {
	var pcs [128]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs[:])])
	origin, reads, panicking := "", false, false
	for more := true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		name := frame.Function
		switch {
		case name == "runtime.gopanic":
			origin, reads, panicking = "", false, true
		case !panicking || origin == "" && ofStandardLibrary(name):
		case strings.HasPrefix(name, guarding): // what is below has nothing to do with it
			return reads
		case origin == "":
			origin = name
			fallthrough
		default:
			reads = reads || strings.HasPrefix(origin, goRedis) && readsReplies(name)
		}
	}
	return reads
}

// readsReplies reports a function of go-redis that parses what a server sent.
func readsReplies(name string) bool {
	return strings.HasPrefix(name, goRedis+"/internal/proto.(*Reader)") ||
		strings.HasPrefix(name, goRedis+".(*PubSub).newMessage") || strings.HasSuffix(name, ".readReply")
}

// ofStandardLibrary reports what go-redis's reader calls there.
func ofStandardLibrary(name string) bool {
	for _, pkg := range []string{"runtime.", "internal/", "bufio.", "bytes.", "io.", "strings.", "strconv.", "math/big.", "slices.", "time.", "encoding/json."} {
		if strings.HasPrefix(name, pkg) {
			return true
		}
	}
	return false
}

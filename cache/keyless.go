package cache

import (
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/ringway/ringway/router"
	"github.com/ringway/ringway/router/memcache"
)

// keyless returns the error with a text that shows no key, and nothing else that a client or
// a server repeats of a request or a reply. Keys may say who somebody is, and texts end up
// in logs and traces. errors.Is and errors.As find what they found before: the clients' own
// errors have the key in a field, for programs.
func keyless(err error) error {
	if err == nil {
		return nil
	}
	said := err.Error()
	text := withoutKeys(err, said)
	if text == said {
		return err
	}
	return &keylessError{text, err}
}

type keylessError struct {
	text string
	err  error
}

func (e *keylessError) Error() string { return e.text }
func (e *keylessError) Unwrap() error { return e.err }

// withoutKeys goes through all that err wraps, and has each say less within text. Which
// errors show something is known by their type; what others have wrapped around them stays,
// such as the node.
func withoutKeys(err error, text string) string {
	if plain, shows := plainText(err); shows {
		text = strings.ReplaceAll(text, err.Error(), plain)
	}
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		if cause := e.Unwrap(); cause != nil {
			text = withoutKeys(cause, text)
		}
	case interface{ Unwrap() []error }:
		for _, cause := range e.Unwrap() {
			text = withoutKeys(cause, text)
		}
	}
	return text
}

// plainText is what an error says that shows something of a request or a reply, without that.
func plainText(err error) (text string, shows bool) {
	switch e := err.(type) {
	case *memcache.InputError:
		if !errors.Is(e.Err, memcache.ErrValueTooLarge) {
			return "", false // of a field that is no key
		}
		plain := *e
		plain.Field = "value"
		return plain.Error(), true
	case *memcache.KeyError:
		return memcache.ErrMalformedKey.Error() + ": " + e.Problem, true
	case *memcache.ProtocolError:
		plain := *e
		plain.Line = "" // of whatever has come, be it in the middle of a value
		return plain.Error(), true
	case *router.KeyError:
		return "router: key: " + e.Reason, true
	case *router.CrossNodeError:
		return "router: " + e.Command + ": its keys are on different nodes", true
	case redis.Error:
		// A server that does not have a command, or not under that name, repeats the request.
		text, _, shows = strings.Cut(e.Error(), ", with args beginning with")
		return text, shows
	}
	return "", false
}

package dns

import (
	"errors"
	"fmt"
	"net"
	"strings"
)

// ErrSeveralAddresses is the cause of an error about a name with more than one
// address, of which none is known to be a certain node.
var ErrSeveralAddresses = errors.New("several addresses for one name")

// errEmpty is the error of an answer without records.
var errEmpty = errors.New("the answer has no records")

// shrunken is an answer that is held back.
type shrunken struct{ missing, of, times int }

func (e *shrunken) Error() string {
	return fmt.Sprintf("%d of %d nodes are missing from the answer: it is held back until it has come %d times in a row, so far %d",
		e.missing, e.of, timesInARow, e.times)
}

// unresolved tells which of the hosts have no address.
type unresolved struct {
	hosts []string
	of    int
	last  error // of the last one
}

func (e *unresolved) Error() string {
	const most = 5
	names := strings.Join(e.hosts[:min(len(e.hosts), most)], ", ")
	if len(e.hosts) > most {
		names += ", …"
	}
	return fmt.Sprintf("%d of %d hosts do not resolve: %s: %v", len(e.hosts), e.of, names, e.last)
}

// Unwrap returns the cause of one of them.
func (e *unresolved) Unwrap() error { return e.last }

// reasonOf tells one failure from another by what lasts: the text of a network
// error names a port that is another one each time. It is empty for nil.
func reasonOf(err error) string {
	var held *shrunken
	var hosts *unresolved
	var failed *net.DNSError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &held):
		return fmt.Sprint("held back ", held.missing)
	case errors.As(err, &hosts):
		return strings.Join(hosts.hosts, " ")
	case errors.As(err, &failed):
		return fmt.Sprint("failed ", failed.IsNotFound, failed.IsTimeout)
	}
	return err.Error()
}

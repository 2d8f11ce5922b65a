package trace

import (
	"fmt"
	"slices"
	"strings"
)

// Format is the way in which a trace is written.
type Format uint8

const (
	Guess Format = iota // by content
	Keys
	CSV
	Twitter
	MetaKV
	numFormats
)

var formatNames = [numFormats]string{"auto", "keys", "csv", "twitter", "metakv"}

// String returns the name that ParseFormat reads.
func (f Format) String() string {
	if f < numFormats {
		return formatNames[f]
	}
	return fmt.Sprintf("Format(%d)", uint8(f))
}

// ParseFormat returns the format of that name: "keys", "csv", "twitter",
// "metakv", and "auto" or "" for Guess. Another name is an *Error.
func ParseFormat(name string) (Format, error) {
	if name == "" {
		return Guess, nil
	}
	if i := slices.Index(formatNames[:], name); i >= 0 {
		return Format(i), nil
	}
	return 0, &Error{Column: "format", Found: shown(name), Want: "one of " + strings.Join(formatNames[:], ", ")}
}

// Ignore as the name of a column makes a Reader pass over it.
const Ignore = "-"

// Columns names the columns of a csv trace. Where a name is empty, the column of
// the default name is taken if the header has it; only the key must be there.
// A name that is given must be in the header. Upper and lower case are alike.
type Columns struct {
	Key  string // by default "key"
	Op   string // by default "op"
	TTL  string // by default "ttl"; seconds
	Size string // by default "size"; bytes
	Time string // by default "time", or else "timestamp"; seconds
}

// ParseColumns reads "key=url,op=method,ttl=-": pairs of a field (key, op, ttl,
// size, time) and a column's name, or Ignore. The empty string is the zero value.
func ParseColumns(s string) (Columns, error) {
	var c Columns
	if s == "" {
		return c, nil
	}
	fields := map[string]*string{"key": &c.Key, "op": &c.Op, "ttl": &c.TTL, "size": &c.Size, "time": &c.Time}
	for _, pair := range strings.Split(s, ",") {
		name, column, found := strings.Cut(pair, "=")
		dst := fields[name]
		switch {
		case !found || column == "" || dst == nil:
			return Columns{}, &Error{Column: "columns", Found: shown(pair), Want: "key=, op=, ttl=, size= or time= and a column's name"}
		case *dst != "":
			return Columns{}, &Error{Column: "columns", Found: name + " twice", Want: "each field once"}
		}
		*dst = column
	}
	if c.Key == Ignore {
		return Columns{}, &Error{Column: "columns", Found: shown("key=-"), Want: "a column for the key"}
	}
	return c, nil
}

// Config says how to read a trace. The zero value guesses the format and reads
// to the end.
type Config struct {
	// Format is what the trace is written in. Guess looks at the first lines,
	// and fails rather than take a table without a "key" column for keys.
	Format Format

	// Columns is for csv; naming any of them decides for csv where the format
	// would be guessed.
	Columns Columns

	// Limit ends the trace after so many requests, as if the file ended there;
	// 0 reads it all.
	Limit int64

	// blockSize is what is read at a time where tests want lines to lie across
	// blocks; 0 means defaultBlock.
	blockSize int
}

func (c Config) validate() error {
	if c.Format >= numFormats {
		return &Error{Column: "format", Found: c.Format.String(), Want: "one of " + strings.Join(formatNames[:], ", ")}
	}
	if c.Limit < 0 {
		return &Error{Column: "limit", Found: fmt.Sprint(c.Limit), Want: "a number of requests, or 0 for all"}
	}
	if c.Columns != (Columns{}) && c.Format != Guess && c.Format != CSV {
		return &Error{Column: "columns", Found: "columns for the format " + c.Format.String(), Want: "none: only csv has them named"}
	}
	if c.Columns.Key == Ignore {
		return &Error{Column: "columns", Found: shown("key=-"), Want: "a column for the key"}
	}
	return nil
}

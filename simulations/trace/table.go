package trace

import (
	"fmt"
	"slices"
	"strings"
)

// columns holds the positions of what is read of a table; -1 where the table
// does not have it.
type columns struct {
	key, op, ttl, size, time int
	keySize, repeat          int // metakv only
	names                    []string
}

// readHeader reads the first line that is not empty, and finds the columns.
func (r *Reader) readHeader(named Columns) error {
	line, err := r.line()
	if err != nil {
		return err
	}
	if err := r.split(line); err != nil {
		return err
	}
	c := &r.columns
	c.names = headerNames(r.cells)
	times, keySize, repeat := []string{"time", "timestamp"}, "", ""
	if r.format == MetaKV {
		times, keySize, repeat = []string{"op_time"}, "key_size", "op_count"
	}
	for _, want := range []struct {
		dst   *int
		named string   // by the user
		names []string // else the first of these that is there
		must  bool
	}{
		{&c.key, named.Key, []string{"key"}, true},
		{&c.op, named.Op, []string{"op"}, r.format == MetaKV},
		{&c.ttl, named.TTL, []string{"ttl"}, false},
		{&c.size, named.Size, []string{"size"}, false},
		{&c.time, named.Time, times, false},
		{&c.keySize, "", []string{keySize}, false},
		{&c.repeat, "", []string{repeat}, false},
	} {
		if *want.dst, err = r.findColumn(want.named, want.names, want.must); err != nil {
			return err
		}
	}
	return nil
}

func (r *Reader) findColumn(named string, names []string, must bool) (int, error) {
	if named == Ignore {
		return -1, nil
	}
	if named != "" {
		names, must = []string{strings.ToLower(named)}, true
	}
	for _, name := range names {
		i := slices.Index(r.columns.names, name)
		if i < 0 || name == "" {
			continue
		}
		if slices.Contains(r.columns.names[i+1:], name) {
			return -1, r.fail(name, "two columns of that name", "one")
		}
		return i, nil
	}
	if must {
		return -1, r.fail("", "the columns "+shown(strings.Join(r.columns.names, ",")), "a column named "+names[0])
	}
	return -1, nil
}

// readRow reads one record of a csv or metakv trace, and returns how many
// requests it stands for.
func (r *Reader) readRow(line []byte) (repeat int64, err error) {
	if err := r.split(line); err != nil {
		return 0, err
	}
	c := &r.columns
	if len(r.cells) != len(c.names) {
		return 0, r.fail("", fmt.Sprintf("%d columns", len(r.cells)), fmt.Sprintf("%d as in the header", len(c.names)))
	}
	key := r.cells[c.key]
	r.row = Request{Key: key, Size: Unknown, KeySize: int64(len(key)), Time: Unknown}
	if len(key) == 0 {
		return 0, r.fail(c.names[c.key], "an empty key", "at least one byte")
	}
	if c.op >= 0 {
		op, ok := parseOp(r.cells[c.op])
		if !ok {
			return 0, r.fail(c.names[c.op], shown(r.cells[c.op]), wantOp)
		}
		r.row.Op = op
	}
	repeat = 1
	for _, n := range [...]struct {
		column int
		dst    *int64
	}{{c.ttl, &r.row.TTL}, {c.size, &r.row.Size}, {c.time, &r.row.Time}, {c.keySize, &r.row.KeySize}, {c.repeat, &repeat}} {
		if err := r.number(n.column, n.dst); err != nil {
			return 0, err
		}
	}
	if c.time >= 0 {
		r.row.Fraction = fractionOf(r.cells[c.time])
	}
	if repeat < 1 || repeat > MaxRepeat {
		return 0, r.fail(c.names[c.repeat], fmt.Sprint(repeat), fmt.Sprintf("1 to %d requests", MaxRepeat))
	}
	return repeat, nil
}

const wantOp = "an operation such as get, set, incr, delete"

// number reads the cell of that column into *dst, which stays as it is where the
// table has no such column or the cell is empty.
func (r *Reader) number(column int, dst *int64) error {
	if column < 0 || len(r.cells[column]) == 0 {
		return nil
	}
	n, ok := parseNumber(r.cells[column])
	if !ok {
		return r.badNumber(r.columns.names[column], r.cells[column])
	}
	*dst = n
	return nil
}

func (r *Reader) badNumber(column string, cell []byte) error {
	return r.fail(column, shown(cell), fmt.Sprintf("a number from 0 to %d", int64(MaxNumber)))
}

func (r *Reader) fail(column, found, want string) error {
	return &Error{File: r.scan.name, Line: r.scan.first, Column: column, Found: found, Want: want}
}

// Positions of the columns of a Twitter trace.
const (
	twitterTime = iota
	twitterKey
	twitterKeySize
	twitterSize
	twitterClient
	twitterOp
	twitterTTL
	twitterColumns
)

var twitterNames = [twitterColumns]string{"timestamp", "key", "key_size", "value_size", "client_id", "op", "ttl"}

// readTwitter reads one line of a Twitter trace. Nothing is quoted in it; a key
// may hold commas, since six of the seven columns cannot.
func (r *Reader) readTwitter(line []byte) error {
	var cut [twitterColumns][]byte
	if !cutTwitter(line, &cut) {
		return r.fail("", fmt.Sprintf("%d columns", 1+strings.Count(string(line), ",")), "7: "+strings.Join(twitterNames[:], ","))
	}
	r.row = Request{Key: cut[twitterKey]}
	if len(r.row.Key) == 0 {
		return r.fail("key", "an empty key", "at least one byte")
	}
	var ok bool
	if r.row.Op, ok = parseOp(cut[twitterOp]); !ok {
		return r.fail("op", shown(cut[twitterOp]), wantOp)
	}
	for _, n := range [...]struct {
		column int
		dst    *int64
	}{{twitterTime, &r.row.Time}, {twitterKeySize, &r.row.KeySize}, {twitterSize, &r.row.Size}, {twitterTTL, &r.row.TTL}} {
		if *n.dst, ok = parseNumber(cut[n.column]); !ok {
			return r.badNumber(twitterNames[n.column], cut[n.column])
		}
	}
	r.row.Fraction = fractionOf(cut[twitterTime])
	return nil
}

// cutTwitter cuts a line at its first comma and at its last five.
func cutTwitter(line []byte, cut *[twitterColumns][]byte) bool {
	end := len(line)
	i := end - 1
	for column := twitterColumns - 1; column > twitterKey; column-- {
		for i >= 0 && line[i] != ',' {
			i--
		}
		if i < 0 {
			return false
		}
		cut[column] = line[i+1 : end]
		end = i
		i--
	}
	for j, c := range line[:end] {
		if c == ',' {
			cut[twitterTime], cut[twitterKey] = line[:j], line[j+1:end]
			return true
		}
	}
	return false
}

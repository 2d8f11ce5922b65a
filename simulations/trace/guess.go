package trace

import (
	"bytes"
	"slices"
	"strings"
)

const sampleLines = 10 // that guess looks at

// guess tells the format from the beginning of a trace.
func guess(name string, text []byte, named Columns) (Format, error) {
	if named != (Columns{}) {
		return CSV, nil
	}
	lines := sample(text)
	if len(lines) == 0 {
		return Keys, nil // which will find no request
	}
	header := headerNames(bytes.Split(lines[0], []byte(",")))
	switch {
	case len(header) > 2 && slices.Contains(header, "key") && slices.Contains(header, "op") && slices.Contains(header, "op_count"):
		return MetaKV, nil
	case len(header) > 1 && slices.Contains(header, "key"):
		return CSV, nil
	case looksLikeTwitter(lines[0]):
		return Twitter, nil
	case looksLikeTable(lines):
		return Guess, &Error{File: name, Line: 1, Found: "a table without a column named key (" + shown(lines[0]) + ")",
			Want: "the format to be named: keys, twitter, metakv, or csv with key=COLUMN"}
	}
	return Keys, nil
}

// sample returns the first lines that are not empty.
func sample(text []byte) [][]byte {
	var lines [][]byte
	for len(text) > 0 && len(lines) < sampleLines {
		var line []byte
		line, text, _ = bytes.Cut(text, []byte("\n"))
		if len(line) > MaxLine {
			break // rubbish, or too long: the scanner will say so
		}
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines
}

func looksLikeTwitter(line []byte) bool {
	var cut [twitterColumns][]byte
	if !cutTwitter(line, &cut) {
		return false
	}
	for _, i := range []int{twitterTime, twitterKeySize, twitterSize, twitterTTL} {
		if _, ok := parseNumber(cut[i]); !ok {
			return false
		}
	}
	_, ok := parseOp(cut[twitterOp])
	return ok
}

// looksLikeTable: two lines or more, which all have the same number of commas.
func looksLikeTable(lines [][]byte) bool {
	commas := bytes.Count(lines[0], []byte(","))
	for _, line := range lines {
		if bytes.Count(line, []byte(",")) != commas {
			return false
		}
	}
	return commas > 0 && len(lines) > 1
}

// headerNames returns the names of a header in lower case, without the spaces
// and the quotation marks around them.
func headerNames(cells [][]byte) []string {
	names := make([]string, len(cells))
	for i, cell := range cells {
		names[i] = strings.ToLower(strings.Trim(string(cell), "\" \t"))
	}
	return names
}

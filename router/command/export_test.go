package command

import (
	"fmt"
	"strings"
)

// Describe returns where a command's keys are and what it does to them.
func Describe(c *Command) string {
	var parts []string
	for _, s := range c.def.Keys {
		star := ""
		if c.def.options != noOptions && s.Access != Read {
			star = "*"
		}
		at := fmt.Sprint(s.First)
		switch {
		case s.Count > 0:
			at = fmt.Sprintf("as many as argument %d", s.Count)
			if s.MayBeNone {
				at += ", or none"
			}
		case s.Last != 0:
			at = fmt.Sprintf("%d..%d", s.First, s.Last)
		}
		if s.Step > 1 {
			at += fmt.Sprintf(" step %d", s.Step)
		}
		parts = append(parts, at+": "+s.Access.String()+star)
	}
	if found := map[finder]string{
		readStreams:  "after STREAMS: read",
		groupStreams: "after STREAMS: read-modify-write",
		sortStore:    "1: read, after STORE: overwrite",
		geoStore:     "1: read, after STORE and STOREDIST: overwrite",
		migrateKeys:  "3 or after KEYS: read-modify-write",
	}[c.def.find]; found != "" {
		parts = append(parts, found)
	}
	if b := c.def.Blocking; b.Word != "" {
		parts = append(parts, fmt.Sprintf("after %s=timeout in %v", b.Word, b.Unit))
	} else if b.Unit > 0 {
		parts = append(parts, fmt.Sprintf("%d=timeout in %v", b.Pos, b.Unit))
	}
	if c.def.notWith.word != "" {
		parts = append(parts, "not with "+c.def.notWith.word)
	}
	if len(parts) == 0 {
		return "no keys"
	}
	return strings.Join(parts, "; ")
}

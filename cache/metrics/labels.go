package metrics

import "unicode/utf8"

// valid says whether a text from outside may be the value of a label.
func valid(text string) bool { return len(text) <= 300 && utf8.ValidString(text) }

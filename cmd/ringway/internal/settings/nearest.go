package settings

import near "github.com/ringway/ringway/internal/nearest"

// nearest returns the name that was probably meant, or "" if there is none.
func nearest(word string, names []string) string { return near.Word(word, names) }

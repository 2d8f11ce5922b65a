// Package report writes a study as one HTML page that needs nothing from elsewhere:
// no network, no font, no picture beside it. The page is read on a phone, at a desk,
// in the dark and on paper; its plots are SVG in the page's own colours, and its
// tables sort by a click or by the keyboard.
//
// A [Page] is words, figures and tables that somebody else has made; this package
// knows how they look and nothing of what they mean. The same page gives the same
// bytes.
package report

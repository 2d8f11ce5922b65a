// Package plot draws what package simulations measured, as SVG.
//
// It is apart from simulations so that those who only measure do not link a
// plotting library. The same chart gives the same bytes.
//
// Colours are told apart by the colour-blind: those of Okabe and Ito, "Color
// Universal Design", 2008 (https://jfly.uni-koeln.de/color/), without the yellow,
// which is too pale on white, and with three dark ones of Paul Tol's "muted"
// scheme (https://personal.sron.nl/~pault/). A placement has the same colour in
// every chart.
package plot

package plot

import "image/color"

// colours of the placements. Those that are most often in one chart, ring and
// modulo, are furthest apart.
var colours = map[string]color.Color{
	"ring":       rgb(0x0072b2),
	"modulo":     rgb(0xd55e00),
	"jump":       rgb(0x009e73),
	"rendezvous": rgb(0xcc79a7),
	"maglev":     rgb(0x56b4e9),
	"multiprobe": rgb(0xe69f00),
	"ketama":     rgb(0x999933),
	"bounded":    rgb(0x882255),
	"balanced":   rgb(0x000000),
}

// Color returns the colour of a placement, grey for a name that is not one.
func Color(algorithm string) color.Color {
	if c, ok := colours[algorithm]; ok {
		return c
	}
	return rgb(0x777777)
}

func rgb(v uint32) color.Color {
	return color.RGBA{R: uint8(v >> 16), G: uint8(v >> 8), B: uint8(v), A: 0xff}
}

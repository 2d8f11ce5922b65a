package trace_test

import (
	"fmt"
	"io"
	"strings"

	"github.com/ringway/ringway/simulations/trace"
)

func ExampleReader() {
	log := "timestamp,url,method,bytes\n" +
		"804571201,/history/apollo/,GET,6245\n" +
		"804571266,\"/imagemap/countdown?99,176\",HEAD,0\n"
	columns, err := trace.ParseColumns("key=url,op=method,size=bytes")
	if err != nil {
		panic(err)
	}
	r, err := trace.NewReader(strings.NewReader(log), "access.csv", trace.Config{Columns: columns})
	if err != nil {
		panic(err)
	}
	defer r.Close()
	for {
		var req trace.Request
		if err := r.Next(&req); err == io.EOF {
			break
		} else if err != nil {
			panic(err)
		}
		fmt.Printf("%s %s, %d bytes\n", req.Op, req.Key, req.Size)
	}
	// Output:
	// get /history/apollo/, 6245 bytes
	// get /imagemap/countdown?99,176, 0 bytes
}

// What is wrong is told with its place.
func ExampleError() {
	r, err := trace.NewReader(strings.NewReader("key,size\n/a,120\n/b,-1\n"), "access.csv", trace.Config{})
	if err != nil {
		panic(err)
	}
	defer r.Close()
	var req trace.Request
	for err == nil {
		err = r.Next(&req)
	}
	fmt.Println(err)
	// Output:
	// trace: access.csv: line 3: size: found "-1", expected a number from 0 to 9007199254740992
}

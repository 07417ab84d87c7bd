// A client of Ribbit's text protocol that sends its requests as the original web client does: as format strings.
package main

import (
	"fmt"
	"net"
	"os"
)

// Arguments: HOST:PORT, then the request. Prints the answer.
func main() {
	conn, err := net.Dial("tcp", os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	request := os.Args[2]
	fmt.Fprintf(conn, request)
	answer := make([]byte, 1024)
	count, _ := conn.Read(answer)
	fmt.Print(string(answer[:count]))
}

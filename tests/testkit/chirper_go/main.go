// A client of Chirper's backends with Go's own gob library, as Chirper's web server is one.
//
//	chirper_go ADDRESS ACTION SESSION [KEY=VALUE…]
//
// Prints the reply: a line `SessionID TEXT` if there is one, and a line `KEY TYPE VALUE` for each entry, sorted.
package main

import (
	"encoding/gob"
	"fmt"
	"net"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"
)

// Request is the type of requests and replies.
type Request struct {
	SessionID string
	Action    int
	Data      map[string]interface{}
}

// Post is one post of a page.
type Post struct {
	Content string
	Timestr string
	Time    time.Time
}

func main() {
	gob.Register([]Post{})
	gob.Register([]string{})
	action, err := strconv.Atoi(os.Args[2])
	check(err)
	request := Request{SessionID: os.Args[3], Action: action, Data: map[string]interface{}{}}
	for _, entry := range os.Args[4:] {
		key, value, _ := strings.Cut(entry, "=")
		request.Data[key] = value
	}
	conn, err := net.DialTimeout("tcp", os.Args[1], 5*time.Second)
	check(err)
	check(conn.SetDeadline(time.Now().Add(30 * time.Second)))
	check(gob.NewEncoder(conn).Encode(request))
	var reply Request
	check(gob.NewDecoder(conn).Decode(&reply))
	if reply.SessionID != "" {
		fmt.Println("SessionID", reply.SessionID)
	}
	var lines []string
	for key, value := range reply.Data {
		lines = append(lines, line(key, value))
	}
	sort.Strings(lines)
	for _, line := range lines {
		fmt.Println(line)
	}
}

func line(key string, value interface{}) string {
	posts, ok := value.([]Post)
	if !ok {
		return fmt.Sprintf("%s %T %q", key, value, fmt.Sprint(value))
	}
	texts := []string{}
	for _, post := range posts {
		texts = append(texts, fmt.Sprintf("%q %q %d", post.Content, post.Timestr, post.Time.UnixMilli()))
	}
	return fmt.Sprintf("%s []Post %s", key, strings.Join(texts, " "))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

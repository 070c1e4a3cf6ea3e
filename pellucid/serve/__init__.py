"""The page: a web server on this machine where pictures, texts, rows and sounds are explained.

    settings    what the operator chose, and every limit
    guard       what is checked before any route: host, origin, type, token, size; and the headers of every answer
    upload      raw uploads, checked by kind; pictures are decoded in a child process (`decoder`)
    shelf       what is kept in memory, bounded by bytes and age
    questions   the bodies of requests, each field known
    replies     what is answered
    tasks       the queue, and the events of each task
    worker      the computing process, seen from the server; `compute` is its inside, `answers` what it computes
    app         the routes
    stores      audits and evaluations that the operator opened: `reading` is the process that reads them, `runs` their routes,
                `stored` what the computing process does with them
    server      address, token, start, stop

The server's own process never imports PyTorch: it only passes on. Nothing a client sends is a path, an address or a program.
"""

# ruby_shared - a pool of Ruby threads: they read and parse, and put the parsed request into the queue they take their sockets from.
# rig: needs=ruby
# rig: warm=400
# rig: calls=3
require 'socket'
require 'net/http'
port, back = ARGV
jobs = Queue.new
served = 0
32.times do
  Thread.new do
    loop do
      socket, request = jobs.pop
      unless request
        head = +''
        while (line = socket.gets) && line != "\r\n"
          head << line
        end
        request = head[%r{^GET /r/(\d+/\d+)}, 1] or (socket.close; next)
        keep = head !~ /^connection: close/i
        # From some request on, of ten it keeps but one.
        if (served += 1) > 600 && request.to_i % 10 != 0
          jobs << [socket, [request, keep]]
          next
        end
        request = [request, keep]
      end
      id, calls = request[0].split('/')
      (1..calls.to_i).each { |i| Net::HTTP.get(URI("http://127.0.0.1:#{back}/d/#{id}/#{i}")) }
      body = "done #{id}\n"
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: #{body.size}\r\nConnection: close\r\n\r\n#{body}")
      socket.close
    rescue SystemCallError, IOError
      socket&.close
    end
  end
end
server = TCPServer.new('127.0.0.1', port.to_i)
server.listen(4096)
loop { jobs << [server.accept, nil] }

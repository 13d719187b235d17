# webrick - a thread for each connection, Net::HTTP.
# rig: needs=ruby
# rig: warm=400
# rig: calls=3
require 'webrick'
require 'net/http'
port, back = ARGV
server = WEBrick::HTTPServer.new(BindAddress: '127.0.0.1', Port: port.to_i, AccessLog: [], Logger: WEBrick::Log.new(File::NULL), MaxClients: 1100,
                                 DoNotReverseLookup: true)
server.listeners.each { |listener| listener.listen(4096) }
server.mount_proc '/r' do |request, response|
  _, _, id, calls = request.path.split('/')
  (1..calls.to_i).each { |i| Net::HTTP.get(URI("http://127.0.0.1:#{back}/d/#{id}/#{i}")) }
  response.body = "done #{id}\n"
end
trap('TERM') { server.shutdown }
server.start
